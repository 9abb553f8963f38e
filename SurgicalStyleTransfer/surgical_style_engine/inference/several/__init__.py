"""Several inputs of one patient through one network."""
