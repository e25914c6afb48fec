"""The version of this package, read by the build and stamped on every record's scope."""

__version__ = "0.1.0"
