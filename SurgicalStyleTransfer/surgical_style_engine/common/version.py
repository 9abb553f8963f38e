"""The version of engine, command and extension."""

__version__ = "0.2.0.dev0"
