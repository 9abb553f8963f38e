"""Calibrates error bounds on left-out patients, and tests them there."""
