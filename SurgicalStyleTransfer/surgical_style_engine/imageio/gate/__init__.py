"""What is known of a file before it is decoded: that it is one, what its header claims, and that it holds as much.

Decoders believe headers: they allocate what is claimed, leave uninitialised what the file lacks, follow names to other
files, and wait for pipes. So every file passes here first (see docs/security.md).
"""
