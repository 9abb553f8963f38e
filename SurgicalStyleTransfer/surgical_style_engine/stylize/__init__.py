"""Styles that are pictures: optimisation-based style transfer (Gatys, Ecker & Bethge, CVPR 2016) of volumes.

Nothing here is imported before it is used: ``settings`` and ``card`` work without torch.
"""
