"""The Slicer side of SurgicalStyleTransfer: MRML and Qt. Voxels are only handed over; the worker computes."""
