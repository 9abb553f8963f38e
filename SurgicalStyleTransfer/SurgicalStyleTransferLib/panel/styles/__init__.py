"""Finding a style, and how carefully it is run."""
