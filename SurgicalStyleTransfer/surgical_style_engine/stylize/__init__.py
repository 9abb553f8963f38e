"""Styles that are pictures: optimisation-based style transfer (Gatys, Ecker & Bethge, CVPR 2016) of slices.

Its cards and settings are in ``models``, where they work without torch; whole volumes go through
``inference.stylize``.
"""
