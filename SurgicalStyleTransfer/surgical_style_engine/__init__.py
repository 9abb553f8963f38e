"""The engine of SurgicalStyleTransfer: medical images in the look of another domain.

The names below are the public interface. Importing the package loads none of them: neither torch nor anything of
Slicer, not even numpy; each is imported when it is used.

>>> from surgical_style_engine import Volume, load_model, translate_volume
>>> import numpy as np
>>> z, y, x = np.indices((6, 64, 64)) - np.reshape((2.5, 31.5, 31.5), (3, 1, 1, 1))
>>> head = np.where((x / 24) ** 2 + (y / 28) ** 2 < 1, 500 + 8.0 * x, 0)
>>> volume = Volume(head[None].astype(np.float32), spacing=(3.0, 3.0, 5.0))
>>> model = load_model("brain-mr-t1w-t2w")  # a shipped model, by name; or the path of a model's folder
>>> translation = translate_volume(volume, model, device="cpu", backend="torch", strength=0.8)
>>> translation.volume.same_grid(volume), translation.volume.array.dtype
(True, dtype('float32'))

What comes of it is judged with ``judge_case``:

>>> from surgical_style_engine import JudgeCase, Judging, judge_case
>>> quality = judge_case(JudgeCase(volume, model, translation, judging=Judging(cycle=False))).quality
>>> 0 < quality["semantic_consistency"] <= 1
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .common.version import __version__

if TYPE_CHECKING:
    from .adjust.options import Adjustments as Adjustments
    from .app.fuse_case import FuseCase as FuseCase
    from .app.fuse_case import fuse_case as fuse_case
    from .app.import_model import ImportDetails as ImportDetails
    from .app.import_model import import_model as import_model
    from .app.judge_case import JudgeCase as JudgeCase
    from .app.judge_case import Judgement as Judgement
    from .app.judge_case import judge_case as judge_case
    from .app.judging import Judging as Judging
    from .app.stylize_case import StylizeCase as StylizeCase
    from .app.stylize_case import stylize_case as stylize_case
    from .app.translate_case import TranslateCase as TranslateCase
    from .app.translate_case import translate_case as translate_case
    from .common.run_options import RunOptions as RunOptions
    from .errors import Cancelled as Cancelled
    from .errors import InputError as InputError
    from .errors import OutOfMemoryError as OutOfMemoryError
    from .errors import StyleTransferError as StyleTransferError
    from .imageio.read import read_volume as read_volume
    from .imageio.write import write_volume as write_volume
    from .inference.result import Translation as Translation
    from .inference.translate import translate_volume as translate_volume
    from .models.folder import StyleModel as StyleModel
    from .models.folder import load_model as load_model
    from .models.names import list_models as list_models
    from .volumes.volume import Volume as Volume


_MODULES = {
    "adjust.options": ["Adjustments"],
    "app.fuse_case": ["FuseCase", "fuse_case"],
    "app.import_model": ["ImportDetails", "import_model"],
    "app.judge_case": ["JudgeCase", "Judgement", "judge_case"],
    "app.judging": ["Judging"],
    "app.stylize_case": ["StylizeCase", "stylize_case"],
    "app.translate_case": ["TranslateCase", "translate_case"],
    "common.run_options": ["RunOptions"],
    "errors": ["Cancelled", "InputError", "OutOfMemoryError", "StyleTransferError"],
    "imageio.read": ["read_volume"],
    "imageio.write": ["write_volume"],
    "inference.result": ["Translation"],
    "inference.translate": ["translate_volume"],
    "models.folder": ["StyleModel", "load_model"],
    "models.names": ["list_models"],
    "volumes.volume": ["Volume"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE_OF)]


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, and what has been imported."""
    return sorted({*globals(), *__all__})
