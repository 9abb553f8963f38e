"""Pictures of the panel in a window like Slicer's, with slice views that real MRML logics have drawn."""
