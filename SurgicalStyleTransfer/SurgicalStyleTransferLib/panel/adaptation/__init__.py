"""Adapting a style to the scans of one scanner."""
