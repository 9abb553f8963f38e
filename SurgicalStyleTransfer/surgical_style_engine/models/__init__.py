"""Models: folders without code, their cards and weights, and what brings models from elsewhere into such folders."""
