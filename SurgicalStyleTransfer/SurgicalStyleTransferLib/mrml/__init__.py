"""MRML: volumes, sequences, regions and slice views, as the jobs and the panel need them."""
