"""What the panel and scripts have the worker do: apply, adjust, judge, fuse, preview."""
