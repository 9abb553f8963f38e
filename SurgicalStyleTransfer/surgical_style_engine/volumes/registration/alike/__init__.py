"""Registration of two images of one contrast, voxels weighed by how far each can be trusted.

``images`` prepares both at a few resolutions; ``linear`` finds rigid and affine transforms and ``starts`` where to
begin; ``deform`` finds a smooth displacement on top.
"""

from .images import KINDS

__all__ = ["KINDS"]
