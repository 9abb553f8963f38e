"""The tasks of a cohort on many processes and machines, by Dask distributed (Rocklin, SciPy, 2015)."""
