"""Whether an image is one that a style was made for: its kind, and how usual it is among what the style knows."""
