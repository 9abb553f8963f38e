"""The section Fusion: several modalities of one patient in one image."""
