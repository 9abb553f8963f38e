"""What is done with a result beside looking at it."""
