"""Slicer around real MRML: what slicer-core lacks because it needs Qt, made of PySide6 and strict small stand-ins.

Real here: MRML, VTK, the modules' logics, ``slicer.util``, Qt. Stood in for: PythonQt's way of wrapping Qt, ctk's and
Slicer's widgets, the application, ScriptedLoadableModule, parameterNodeWrapper, pip. Unknown widgets, properties,
signals and attributes raise. With SST_SLICER_PYTHON (the folder Base/Python of Slicer's sources) the genuine
ScriptedLoadableModule, parameterNodeWrapper, i18n and packaging take the places of their stand-ins.
"""

from .application import install

__all__ = ["install"]
