# Packing is left to Slicer.
