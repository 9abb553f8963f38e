"""Reading and writing image files: ``read.read_volume``, ``write.write_volume``; what each format says of itself."""
