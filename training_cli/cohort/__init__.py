"""Which files a command reads and writes: matching by names, checks, plans."""
