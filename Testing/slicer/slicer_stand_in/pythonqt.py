"""PythonQt's manner on top of PySide6: properties are attributes, ``connect("signal()", slot)``, nothing unknown.

What Qt 5, Qt 6, CTK or qMRML lack in a version that is supported raises AttributeError (``interfaces``).

``qt.QLabel`` is a wrapper class around PySide6's, made when first asked for. Plain values (QSize, QUrl, QPixmap...) are
PySide6's own.
"""

from __future__ import annotations

import ctypes
import sys
import types

import shiboken6
from interfaces import known
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

if sys.version_info < (3, 12):
    # PySide6's wheels take it that None, True and False live for ever, as they do from Python 3.12 on, and give up a
    # reference to them that is not theirs with every call; before 3.12 that ends the process sooner or later.
    for _constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(_constant)).value += 1 << 40

LIBRARIES = (QtWidgets, QtGui, QtCore, QtUiTools)
_classes: dict[type, type] = {}
_objects: dict[int, Wrapper] = {}


def _must_exist(target: type, name: str, kind: str = "") -> None:
    """Raises AttributeError where a class of Slicer, CTK or Qt has no such name in some version that is supported."""
    class_name = next((base.__name__ for base in target.__mro__ if known.is_known(base.__name__)), "")
    lacking = known.lacking(class_name, name, kind) if class_name else ()
    if lacking:
        raise AttributeError(f"{class_name} has no {kind or 'name'} {name} in {lacking[0]}")


class _WrapperType(type):
    """Enumerations, static methods and the like come from the wrapped class."""

    def __getattr__(cls, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        _must_exist(cls._target_class, name)
        value = getattr(cls._target_class, name)
        if isinstance(value, (QtCore.Signal, property)):
            raise AttributeError(f"{name} belongs to objects, not to the class {cls.__name__}")
        return _unwrapping(value) if callable(value) and not isinstance(value, type) else value


class Wrapper(metaclass=_WrapperType):
    """A QObject as PythonQt shows it."""

    _target_class = QtCore.QObject

    def __init__(self, *arguments: object) -> None:
        if self._target_class is QtWidgets.QDialogButtonBox and arguments and not isinstance(arguments[0], Wrapper):
            # PythonQt's flags are plain numbers, and its first constructor that takes one takes an orientation.
            raise TypeError("QDialogButtonBox of PythonQt has no buttons from its constructor; use setStandardButtons")
        self._adopt(self._target_class(*(unwrap(value) for value in arguments)))

    def _adopt(self, target: QtCore.QObject) -> None:
        object.__setattr__(self, "_target", target)
        address = shiboken6.getCppPointer(target)[0]
        _objects[address] = self
        target.destroyed.connect(lambda: _objects.pop(address, None))

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        target = self._target
        if name == "name":
            return target.objectName()
        _must_exist(type(target), name)
        meta = target.metaObject()
        if meta.indexOfProperty(name) >= 0:
            return wrap(target.property(name))
        if not hasattr(type(target), name):
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")
        value = getattr(target, name)
        if isinstance(value, QtCore.SignalInstance):
            return value
        return _unwrapping(value) if callable(value) else value

    def __setattr__(self, name: str, value: object) -> None:
        target = self._target
        name = "objectName" if name == "name" else name
        _must_exist(type(target), name, "properties")
        meta = target.metaObject()
        index = meta.indexOfProperty(name)
        if index < 0:
            raise AttributeError(f"{type(self).__name__} has no property '{name}' to set")
        if not meta.property(index).isWritable():
            raise AttributeError(f"the property '{name}' of {type(self).__name__} cannot be written")
        kind = meta.property(index).typeName()
        if kind == "QString" and not isinstance(value, str):
            raise TypeError(f"the property '{name}' is a text, not {value!r}")
        if kind == "bool" and not isinstance(value, (bool, int)):
            raise TypeError(f"the property '{name}' is a bool, not {value!r}")
        if kind == "QStringList":
            value = list(value)
        if not target.setProperty(name, unwrap(value)):
            raise TypeError(f"the property '{name}' of {type(self).__name__} does not take {value!r}")

    def __bool__(self) -> bool:
        return shiboken6.isValid(self._target)

    def connect(self, signal: str, slot: object) -> bool:
        self._signal(signal).connect(slot)
        return True

    def disconnect(self, signal: str, slot: object) -> bool:
        return bool(self._signal(signal).disconnect(slot))

    def _signal(self, signature: str) -> QtCore.SignalInstance:
        target = self._target
        try:
            _must_exist(type(target), signature.partition("(")[0], "signals")
        except AttributeError as error:
            raise ValueError(f"{type(self).__name__} has no signal {signature}: {error}") from error
        stated = getattr(type(target), "SIGNATURES", {})
        if signature in stated:
            return getattr(target, stated[signature])
        normalized = QtCore.QMetaObject.normalizedSignature(signature)
        normalized = normalized.data().decode() if hasattr(normalized, "data") else str(normalized)
        if target.metaObject().indexOfSignal(normalized) < 0:
            raise ValueError(f"{type(self).__name__} has no signal {signature}")
        return getattr(target, signature.partition("(")[0])

    def exec_(self) -> int:
        return self._target.exec()

    def className(self) -> str:
        return type(self._target).__name__


def class_for(target: type) -> type:
    """The wrapper class of a PySide6 class (or of a stand-in derived from one)."""
    if target not in _classes:
        bases = [class_for(base) for base in target.__bases__ if issubclass(base, QtCore.QObject)]
        _classes[target] = _WrapperType(target.__name__, tuple(bases) or (Wrapper,), {"_target_class": target})
    return _classes[target]


_classes[QtCore.QObject] = Wrapper


def wrap(value: object) -> object:
    """PySide6 objects in their wrappers, containers of them too."""
    if isinstance(value, QtCore.QObject):
        address = shiboken6.getCppPointer(value)[0]
        known = _objects.get(address)
        if known is not None and shiboken6.isValid(known._target):
            return known
        made = class_for(type(value)).__new__(class_for(type(value)))
        made._adopt(value)
        return made
    if isinstance(value, list):
        return [wrap(entry) for entry in value]
    if isinstance(value, tuple):
        # PySide6 gives (value, more) where PythonQt gives the value alone.
        return tuple(wrap(entry) for entry in value)
    return value


def unwrap(value: object) -> object:
    if isinstance(value, Wrapper):
        return value._target
    if isinstance(value, type) and issubclass(value, Wrapper):
        return value._target_class
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(entry) for entry in value)
    return getattr(value, "qt_object", value)


def _unwrapping(method: object) -> object:
    def call(*arguments: object, **named: object) -> object:
        return wrap(method(*(unwrap(value) for value in arguments), **{k: unwrap(v) for k, v in named.items()}))

    return call


class _QtModule(types.ModuleType):
    def __getattr__(self, name: str) -> object:
        for library in LIBRARIES:
            found = getattr(library, name, None)
            if found is not None:
                break
        else:
            raise AttributeError(f"there is no qt.{name}")
        if isinstance(found, type) and issubclass(found, QtCore.QObject):
            found = class_for(found)
        setattr(self, name, found)
        return found


def make_module(loader: type) -> types.ModuleType:
    """The module ``qt``; ``loader`` is what stands in for QUiLoader."""
    module = _QtModule("qt")
    module.QUiLoader = loader
    sys.modules["qt"] = module
    return module
