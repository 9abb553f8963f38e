"""The command `sst`: training, and all that the engine does, without Slicer."""
