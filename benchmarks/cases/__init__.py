"""One module a case; each defines ``CASE``."""
