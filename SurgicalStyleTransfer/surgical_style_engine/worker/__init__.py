"""The process that computes for the panel, and what it is asked."""
