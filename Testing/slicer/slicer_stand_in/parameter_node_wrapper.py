"""Typed parameters on a MRML node, bound to widgets; the part of Slicer's wrapper that the panel uses, as strict.

Like Slicer's: a node selector offers exactly the classes of its parameter, a slider needs a range, a combo box cannot
be bound without fixed choices, a union's nodes are stored under "name.0", "name.1", and a list of nodes likewise, with
its length under "name.len".
"""

from __future__ import annotations

import typing

import ctk
import qt
import slicer
import vtk

from .plain import through


class WithinRange:
    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: float) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class _NodeList(tuple):
    """Like Slicer's ObservedList a sequence but no list: nothing is added to it with ``+``. Here it is only read."""

    __add__ = None


class _NodesParameter:
    """``list[vtkMRML...Node]``."""

    nodes: tuple = ()
    range = None

    def __init__(self, name: str, hint: object) -> None:
        self.name, self.kind = name, list
        (self._member,) = typing.get_args(hint)
        if not issubclass(self._member, slicer.vtkMRMLNode):
            raise TypeError(f"the parameter {name} has a kind that this stand-in does not know: {hint}")
        self.default: list = []

    def is_in(self, node: object) -> bool:
        return bool(node.HasParameter(f"{self.name}.len"))

    def _count(self, node: object) -> int:
        return int(node.GetParameter(f"{self.name}.len")) if self.is_in(node) else 0

    def read(self, node: object) -> _NodeList:
        return _NodeList([node.GetNodeReference(f"{self.name}.{index}") for index in range(self._count(node))])

    def write(self, node: object, value: object) -> None:
        if not all(entry is None or isinstance(entry, self._member) for entry in value):
            raise TypeError(f"{self.name} is a list of {self._member.__name__}")
        before = self._count(node)
        with slicer.util.NodeModify(node):
            for index, entry in enumerate(value):
                node.SetParameter(f"{self.name}.{index}", "")
                node.SetNodeReferenceID(f"{self.name}.{index}", entry.GetID() if entry is not None else None)
            node.SetParameter(f"{self.name}.len", str(len(value)))
            for index in range(len(value), before):
                node.UnsetParameter(f"{self.name}.{index}")
                node.RemoveNodeReferenceIDs(f"{self.name}.{index}")


class _Parameter:
    def __init__(self, name: str, hint: object, default: object) -> None:
        self.name = name
        self.range = next((note for note in getattr(hint, "__metadata__", ()) if isinstance(note, WithinRange)), None)
        self.kind = typing.get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
        members = typing.get_args(self.kind) if typing.get_origin(self.kind) is typing.Union else ()
        if members and type(None) not in members:
            raise TypeError(f"the union {name} does not take None, which is what it starts with")
        self.nodes = tuple(member for member in members if member is not type(None))
        if not self.nodes and self.kind not in (str, bool, int, float):
            raise TypeError(f"the parameter {name} has a kind that this stand-in does not know: {hint}")
        self.default = default

    def is_in(self, node: object) -> bool:
        if self.nodes:
            return any(node.HasNodeReferenceRole(f"{self.name}.{i}") for i in range(len(self.nodes)))
        return bool(node.HasParameter(self.name))

    def read(self, node: object) -> object:
        if self.nodes:
            found = (node.GetNodeReference(f"{self.name}.{index}") for index in range(len(self.nodes)))
            return next((entry for entry in found if entry is not None), None)
        text = node.GetParameter(self.name)
        if not node.HasParameter(self.name):
            return self.default
        return text == "True" if self.kind is bool else self.kind(text)

    def write(self, node: object, value: object) -> None:
        if self.nodes:
            index = 0
            if value is not None:
                fitting = [i for i, kind in enumerate(self.nodes) if type(value) is kind] or [
                    i for i, kind in enumerate(self.nodes) if isinstance(value, kind)
                ]
                if not fitting:
                    raise TypeError(f"{self.name} does not take a {value.GetClassName()}")
                index = fitting[0]
            with slicer.util.NodeModify(node):
                for other in range(len(self.nodes)):
                    node.SetNodeReferenceID(f"{self.name}.{other}", None)
                if value is not None:
                    node.SetNodeReferenceID(f"{self.name}.{index}", value.GetID())
            return
        if self.kind in (int, float):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{self.name} is a number, not {value!r}")
            value = self.kind(value)
        elif not isinstance(value, self.kind):
            raise TypeError(f"{self.name} is a {self.kind.__name__}, not {value!r}")
        if self.range is not None:
            self.range.validate(value)
        node.SetParameter(self.name, str(value))


class _Binding:
    """One widget and one parameter."""

    def __init__(self, widget: object, parameter: _Parameter) -> None:
        kind, what = type(widget), (type(widget), parameter.kind)
        if parameter.nodes and kind is slicer.qMRMLNodeComboBox:
            widget.nodeTypes = [entry().GetClassName() for entry in parameter.nodes]
            self.signal, self.read, self.write = widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode
            return
        if what not in PROPERTIES:
            raise RuntimeError(f"{kind.__name__} {widget.name} cannot be bound to {parameter.name}")
        if parameter.range is not None:
            widget.minimum, widget.maximum = parameter.range.minimum, parameter.range.maximum
        elif kind is ctk.ctkSliderWidget:
            raise RuntimeError(f"the slider {widget.name} needs a range")
        signal, name = PROPERTIES[what]
        self.signal, self.read = getattr(widget, signal), lambda: getattr(widget, name)
        self.write = lambda value: setattr(widget, name, value)


# What shows a parameter of a kind: the widget's signal and property.
PROPERTIES = {
    (qt.QCheckBox, bool): ("stateChanged", "checked"),
    (qt.QSpinBox, int): ("valueChanged", "value"),
    (qt.QDoubleSpinBox, float): ("valueChanged", "value"),
    (ctk.ctkSliderWidget, float): ("valueChanged", "value"),
    (qt.QLineEdit, str): ("textChanged", "text"),
}


class _Wrapped:
    """A parameter node; its parameters are properties of a subclass."""

    _parameters: typing.ClassVar[dict[str, object]] = {}

    def __init__(self, node: object) -> None:
        self.parameterNode = node
        self._bound: dict[int, tuple[list, int]] = {}
        self._tag, self._writing = 0, False
        for parameter in self._parameters.values():
            if not parameter.nodes and not parameter.is_in(node):
                parameter.write(node, parameter.default)

    def getValue(self, name: str) -> object:
        return self._parameters[name].read(self.parameterNode)

    def setValue(self, name: str, value: object) -> None:
        self._parameters[name].write(self.parameterNode, value)

    def connectGui(self, ui: object) -> int:
        bindings = []
        for widget in vars(ui).values():
            name = widget.property("SlicerParameterName")
            if name:
                if name not in self._parameters:
                    raise ValueError(f"Cannot find a param with the given name: {name}")
                bindings.append((name, _Binding(widget, self._parameters[name])))
        slots = []
        for name, binding in bindings:
            binding.write(self.getValue(name))

            def changed(*_arguments: object, name: str = name, binding: _Binding = binding) -> None:
                if not self._writing:
                    self.setValue(name, binding.read())

            binding.signal.connect(changed)
            slots.append((binding.signal, changed))

        def show(caller: object, event: str) -> None:
            if self._writing:
                return
            self._writing = True
            try:
                for name, binding in bindings:
                    binding.write(self.getValue(name))
            finally:
                self._writing = False

        self._tag += 1
        self._bound[self._tag] = slots, self.AddObserver(vtk.vtkCommand.ModifiedEvent, show)
        return self._tag

    def disconnectGui(self, tag: int | None) -> None:
        slots, observer = self._bound.pop(tag, ([], None))
        for signal, slot in slots:
            signal.disconnect(slot)
        if observer is not None:
            self.RemoveObserver(observer)

    for _name in ("AddObserver", "RemoveObserver", "StartModify", "EndModify", "Modified"):
        vars()[_name] = through("parameterNode", _name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in self._parameters:
            self.setValue(name, value)
        elif name in ("parameterNode", "_bound", "_tag", "_writing"):
            object.__setattr__(self, name, value)
        else:
            raise AttributeError(f"there is no parameter {name}")


def parameterNodeWrapper(described: type) -> type:
    """Turn the annotated attributes of a class into parameters."""
    hints = typing.get_type_hints(described, include_extras=True)
    parameters = {}
    for name, hint in hints.items():
        default = getattr(described, name, None)
        is_list = typing.get_origin(hint) is list
        parameters[name] = _NodesParameter(name, hint) if is_list else _Parameter(name, hint, default)
    properties = {name: property(lambda self, name=name: self.getValue(name)) for name in parameters}
    return type(
        described.__name__, (_Wrapped,), {"_parameters": parameters, "__doc__": described.__doc__, **properties}
    )
