"""Training data: which files, what is cached of them, and samples drawn from the cache."""
