"""The worker process: requests to it, and the files through which voxels travel."""
