"""The inputs of a style for many domains: which volumes, and what each is."""
