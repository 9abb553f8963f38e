"""What an image shows, told from its voxels."""
