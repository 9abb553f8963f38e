"""Hostile files, generated: each case is a small file or folder that tries what a reader should not let happen."""
