"""The brain and its tissues, found in an image by itself."""
