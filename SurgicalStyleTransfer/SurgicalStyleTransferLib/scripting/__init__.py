"""The module's logic for scripts: one call each for translating, fusing and judging."""
