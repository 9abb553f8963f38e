"""Volumes: array and geometry, resampling, normalisation, body mask, slices, histograms, bias field, registration."""
