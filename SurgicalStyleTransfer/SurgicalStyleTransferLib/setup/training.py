"""What adapting a style needs beside what applying one does: the training, and PyTorch with two packages."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from . import dependencies
from .dependencies import TORCH, InstallationError, Requirement

PACKAGE = "training_cli"
TASKS = "training_cli.adapt.tasks"  # what the second worker serves
ACCELERATE, MONAI = Requirement("accelerate>=1.0"), Requirement("monai>=1.5.1")


def training_folder() -> Path | None:
    """The folder in which Python finds the training: that of the module, or of the clone around it; None without."""
    module = Path(__file__).resolve().parents[2]
    return next((folder for folder in (module, module.parent) if (folder / PACKAGE / "adapt").is_dir()), None)


def missing() -> list[Requirement]:
    """What is not there of the packages. Looks at metadata only."""
    more = [requirement for requirement in (ACCELERATE, MONAI) if not dependencies.is_met(requirement)]
    needed = dependencies.missing(torch=True)
    return [*needed, *more]


def why_never() -> str:
    """Why no style can be adapted on this computer, whatever is installed; "" where one can."""
    if training_folder() is None:
        return _("The training did not come with this installation of the extension; use sst adapt of a clone.")
    if not dependencies.torch_exists():
        return _("Adapting needs PyTorch, which is no longer made for Macs as Slicer runs on them.")
    return ""


def what_comes() -> str:
    """What is installed first, as a sentence; "" where nothing is missing."""
    needed = missing()
    if TORCH in needed:
        return _("Adapting needs PyTorch, about 2 GB, which is not installed; Adapt asks before it is fetched.")
    if needed:
        names = ", ".join(requirement.name for requirement in needed)
        return _("Adapting needs the Python packages {names}; Adapt asks before they are fetched.").format(names=names)
    return ""


def ensure_rest() -> bool:
    """Install what is missing beside PyTorch, after asking; whether anything was. Raises InstallationError."""
    needed = [requirement for requirement in missing() if requirement != TORCH]
    if not needed:
        return False
    dependencies.ensure_these(needed, _("Press Adapt again when they may be."))
    if left := missing():
        raise InstallationError(
            _("Packages are still missing after the installation: {names}. Restart Slicer and try again.").format(
                names=", ".join(str(requirement) for requirement in left)
            )
        )
    return True
