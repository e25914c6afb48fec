"""What auditing costs, measured beside what one would do instead: ``python -m benchmarks``."""
