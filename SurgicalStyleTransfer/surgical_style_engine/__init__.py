"""The engine of SurgicalStyleTransfer: volumes, networks, model folders, translation and quality figures.

Importing this package loads neither torch nor anything of Slicer; modules import what they need when they run.
"""

__version__ = "0.1.0"
