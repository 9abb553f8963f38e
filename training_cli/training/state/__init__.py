"""What a run keeps and tells: checkpoints, curves, sample pictures, signals."""
