"""The engine's packages: found or missing, installed with the user's consent, never at file scope."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from .model_cards import Card

try:
    from packaging.requirements import Requirement
except ImportError:  # older than Slicer 5.12; pip carries a copy
    from pip._vendor.packaging.requirements import Requirement

TORCH = Requirement("torch>=2.4")
TORCHVISION_SPECIFIER = ">=0.19"
ONNX_RUNTIME = Requirement("onnxruntime>=1.18")
OPENVINO = Requirement("openvino>=2024.4")  # faster on the CPU; runs the usual network without torch
KEPT = ("numpy", "SimpleITK")  # what Slicer ships and must not be replaced


class InstallationError(Exception):
    """A package is not there; the text says what to do."""


def requirements(onnx: bool = False) -> list[Requirement]:
    """What the worker needs beside torch."""
    path = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"
    try:
        from slicer.packaging import load_requirements  # noqa: PLC0415 - Slicer 5.12 and newer
    except ImportError:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        packages = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    else:
        packages = load_requirements(path)
    return [*packages, ONNX_RUNTIME] if onnx else packages


def torch_exists() -> bool:
    """Whether there is a PyTorch for this Slicer.

    There is none any more for Macs with Intel's instructions, as which Slicer runs on every Mac.
    """
    return not (sys.platform == "darwin" and platform.machine() == "x86_64")


def needs_of(card: Card) -> dict[str, bool]:
    """A style's arguments for ``missing`` and ``ensure``."""
    return {
        "onnx": card.is_onnx,
        "torch": not card.is_look and (not card.is_onnx or torch_exists()),
        "openvino": card.runs_in_openvino,
    }


def missing(onnx: bool = False, torch: bool = True, openvino: bool = False) -> list[Requirement]:
    """The requirements that are not met. Looks at metadata only; importing torch here would load it into Slicer.

    openvino: whether OpenVINO will do in place of torch, where it is there or torch cannot be.
    """
    needed = requirements(onnx)
    if torch:
        needed.append(OPENVINO if openvino and not _met(TORCH) and (_met(OPENVINO) or not torch_exists()) else TORCH)
    return [requirement for requirement in needed if not _met(requirement)]


def _met(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False


def is_met(requirement: Requirement) -> bool:
    """Whether a package is there in a version that will do. Looks at metadata only."""
    return _met(requirement)


def ensure_these(needed: list[Requirement], otherwise: str) -> None:
    """Install packages after asking; neither numpy, SimpleITK nor PyTorch are replaced.

    Args:
        needed: what is missing.
        otherwise: the sentence that follows where the user did not want it.

    Raises:
        InstallationError: it was declined, or did not work.
    """
    _install(needed, otherwise, (*KEPT, TORCH.name, "torchvision"))
    importlib.invalidate_caches()


def ensure(onnx: bool = False, torch: bool = True, openvino: bool = False) -> bool:
    """Install what ``missing`` finds after asking; whether anything was installed. Raises InstallationError.

    torch comes through the PyTorch extension, which picks the build for the graphics card; the rest through pip, held
    to the versions of numpy and SimpleITK that Slicer has.
    """
    needed = missing(onnx, torch, openvino)
    if not needed:
        return False
    if TORCH in needed:
        _install_torch()
    rest = [requirement for requirement in missing(onnx, torch, openvino) if requirement != TORCH]
    if rest:
        _install(rest, _("Press Apply again when they may be."))
    importlib.invalidate_caches()
    left = missing(onnx, torch, openvino)
    if left:
        names = ", ".join(str(requirement) for requirement in left)
        raise InstallationError(
            _("Packages are still missing after the installation: {names}. Restart Slicer and try again.").format(
                names=names
            )
        )
    return True


@dataclass(frozen=True)
class Choice:
    """What is to be installed, as the user has agreed to.

    Attributes:
        library: TORCH or OPENVINO; None for the small packages alone.
        wheels: folder of wheels for a computer without a network, which is then not used; "" for the network.
        again: install also what is there.
    """

    library: Requirement | None
    wheels: str = ""
    again: bool = False


def has_graphics_card() -> bool:
    """Whether there is a graphics card that PyTorch would use, by its driver; nothing is loaded to find out."""
    names = ("nvidia-smi", "nvidia-smi.exe")
    return any(shutil.which(name) for name in names) or Path("/proc/driver/nvidia/version").exists()


def installed_versions() -> dict[str, str]:
    """Names and versions of what is there of everything that styles may need; "" for what is not."""
    return {requirement.name: _version(requirement.name) for requirement in (TORCH, OPENVINO, *requirements(True))}


def install(choice: Choice, onnx: bool = False) -> None:
    """Install what the user has agreed to, without asking again.

    Args:
        choice: what, and from where.
        onnx: whether ONNX Runtime is needed, too.

    Raises:
        InstallationError: with what to do.
    """
    required = [*([choice.library] if choice.library is not None else []), *requirements(onnx)]
    needed = [requirement for requirement in required if choice.again or not _met(requirement)]
    if TORCH in needed and not choice.wheels:
        _install_torch(is_asked=True, again=choice.again)
        needed.remove(TORCH)
    if needed:
        extra = ["--no-index", "--find-links", choice.wheels] if choice.wheels else []
        extra += ["--force-reinstall", "--no-deps"] if choice.again else []
        _with_constraints(lambda constraints: slicer.util.pip_install(_arguments(needed, constraints, extra)))
    importlib.invalidate_caches()
    left = [str(requirement) for requirement in required if not _met(requirement)]
    if left:
        raise InstallationError(
            _("Packages are still missing after the installation: {names}. Restart Slicer and try again.").format(
                names=", ".join(left)
            )
        )


def has_faster_cpu() -> bool:
    """Whether OpenVINO is there, with which the worker runs styles faster on the CPU."""
    return _met(OPENVINO)


def ensure_faster_cpu() -> bool:
    """Install OpenVINO after asking; whether it was. Raises InstallationError; everything works without it."""
    if has_faster_cpu():
        return False
    _install([OPENVINO], _("Styles run without it, too."))
    importlib.invalidate_caches()
    if not has_faster_cpu():
        raise InstallationError(_("OpenVINO is still missing after the installation. Styles run without it, too."))
    return True


def _install_torch(is_asked: bool = False, again: bool = False) -> None:
    """Through the PyTorch extension. again: what is there is removed first, for that extension leaves it otherwise."""
    if not torch_exists():
        raise InstallationError(
            _(
                "This style needs PyTorch, which is no longer made for Macs as Slicer runs on them. Styles trained "
                "with this extension's own network run without it, and so do ONNX styles."
            )
        )
    try:
        import PyTorchUtils  # noqa: PLC0415 - another extension, which may not be there
    except ImportError:
        raise InstallationError(
            _(
                "PyTorch is needed. Install the extension PyTorch in the Extensions Manager, restart Slicer and press "
                "Apply again."
            )
        ) from None
    logic = PyTorchUtils.PyTorchUtilsLogic()
    try:
        if again and _version(TORCH.name):
            logic.uninstallTorch()
        torch = logic.installTorch(
            askConfirmation=not is_asked,
            torchVersionRequirement=str(TORCH.specifier),
            torchvisionVersionRequirement=TORCHVISION_SPECIFIER,
        )
    except Exception as error:  # whatever the extension, pip or the import of torch raise
        raise InstallationError(
            _("PyTorch could not be installed: {reason}. See the module PyTorch Utils.").format(
                reason=_first_line(error)
            )
        ) from error
    if torch is None:
        raise InstallationError(_("PyTorch was not installed, as you chose. Press Apply again when it may be."))


def _install(needed: list[Requirement], otherwise: str, kept: tuple[str, ...] = KEPT) -> None:
    """Raises InstallationError; ``otherwise`` is the sentence that follows where the user did not want it."""
    title = _("Surgical Style Transfer")

    def run(constraints: Path) -> None:
        try:
            from slicer import packaging  # noqa: PLC0415 - Slicer 5.12 and newer
        except ImportError:
            _install_with_old_slicer(needed, constraints)
        else:
            packaging.pip_ensure(needed, constraints=constraints, requester=title)

    _with_constraints(run, otherwise, kept)


def _with_constraints(run: Callable[[Path], None], otherwise: str = "", kept: tuple[str, ...] = KEPT) -> None:
    """Call pip with a file that holds the versions of what Slicer ships; raises InstallationError."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text(
            "".join(f"{name}=={version}\n" for name, version in _kept_versions(kept)), encoding="utf-8"
        )
        try:
            run(constraints)
        except subprocess.CalledProcessError as error:
            raise InstallationError(
                _(
                    "Python packages could not be installed (pip ended with {code}). Check the network and try again."
                ).format(code=error.returncode)
            ) from error
        except RuntimeError as error:
            sentence = _("Python packages were not installed: {reason}.").format(reason=_first_line(error))
            raise InstallationError(f"{sentence} {otherwise}".strip()) from error


def _arguments(needed: list[Requirement], constraints: Path, extra: list[str]) -> list[str]:
    return [*[str(requirement) for requirement in needed], "-c", str(constraints), *extra]


def _install_with_old_slicer(needed: list[Requirement], constraints: Path) -> None:
    names = [str(requirement) for requirement in needed]
    question = _("These Python packages are needed and will be downloaded: {names}. Install them now?")
    if not slicer.util.confirmOkCancelDisplay(question.format(names=", ".join(names))):
        raise RuntimeError(_("it was declined"))
    slicer.util.pip_install(_arguments(needed, constraints, []))


def _kept_versions(kept: tuple[str, ...]) -> list[tuple[str, str]]:
    versions = [(name, _version(name)) for name in kept]
    return [(name, version) for name, version in versions if version]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".: ") if text else type(error).__name__
