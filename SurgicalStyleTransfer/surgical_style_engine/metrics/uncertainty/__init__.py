"""How far a translation may be from the real image, voxel by voxel, told without that image."""
