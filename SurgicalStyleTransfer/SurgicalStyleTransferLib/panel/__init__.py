"""The panel: one module a section of the .ui file; the sections meet in ``panel`` and talk through ``context``."""
