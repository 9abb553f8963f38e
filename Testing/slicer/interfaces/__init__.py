"""What Slicer, CTK, Qt and MRML offer to Python: names collected from their sources, and questions about them."""
