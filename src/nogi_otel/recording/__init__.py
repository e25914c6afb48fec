"""Recordings: OTLP JSON lines on disk, one signal a file, and the events read from them."""
