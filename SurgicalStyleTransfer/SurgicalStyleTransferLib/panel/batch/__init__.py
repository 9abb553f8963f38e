"""The section Several volumes: one style on many, one after the other."""
