"""`sst compare`: which files belong together, and the page."""
