"""Archives, .pth and ONNX files that ``sst models import`` must not take."""

from __future__ import annotations

import io
import os
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

Case = Callable[[Path], Path]


class Payload:
    """What runs where a pickle is trusted."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("owned"),))


def cases() -> Iterator[tuple[str, Case]]:
    """Names and makers."""
    for name, members in MEMBERS.items():
        yield f"zip/{name}", lambda folder, members=members: _zipped(folder, members)
    for name, spoil in BYTES.items():
        yield f"zip-bytes/{name}", lambda folder, spoil=spoil: _spoilt(folder, spoil)
    yield "zip/link", lambda folder: _with_kind(folder, stat.S_IFLNK)
    yield "zip/device", lambda folder: _with_kind(folder, stat.S_IFCHR)
    yield "zip/bomb", _bomb
    yield "zip/many", lambda folder: _zipped(folder, {f"f{number}.md": b"" for number in range(300)})
    for name, content in PTH.items():
        yield f"pth/{name}", lambda folder, content=content: _file(folder, "latest_net_G_A.pth", content())
    for name, content in ONNX.items():
        yield f"onnx/{name}", lambda folder, content=content: _file(folder, "g.onnx", content())
    for name, content in PICTURES.items():
        yield f"picture/{name}", lambda folder, content=content: _file(folder, "style.png", content)


MEMBERS = {
    "up": {"../model.json": b"{}"},
    "up-inside": {"m/../../x.json": b"{}"},
    "root": {"/etc/x.json": b"{}"},
    "drive": {"C:/x.json": b"{}"},
    "backslash": {"m\\..\\..\\x.json": b"{}"},
    "code": {"m/run.py": b"print()"},
    "library": {"m/x.so": b"\x7fELF"},
    "pickle": {"m/weights.pkl": b"\x80\x04."},
    "no-card": {"m/README.md": b"hello"},
    "two-cards": {"a/model.json": b"{}", "b/model.json": b"{}"},
    "empty": {},
    "empty-card": {"m/model.json": b""},
    "card-alone": {"m/model.json": b'{"schema_version": 1}'},
    "outside-of-the-model": {"m/model.json": b"{}", "n/README.md": b""},
    "deep": {"/".join("d" * 200) + "/model.json": b"{}"},
    "long-name": {"m/" + "x" * 300 + ".md": b"", "m/model.json": b"{}"},
    "hidden": {"m/.profile": b""},
    "controls": {"m/\x1b]0;owned\x07.exe": b""},
}
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "head-only": lambda data: data[:30],
    "no-directory": lambda data: data[: data.rindex(b"PK\x01\x02")],
    "encrypted": lambda data: data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
    "unknown-method": lambda data: data.replace(b"\x14\x00\x00\x00\x00\x00", b"\x14\x00\x00\x00\x63\x00"),
    "bad-checksum": lambda data: data[:100] + bytes([data[100] ^ 255]) + data[101:],
    "random": lambda data: b"PK\x03\x04" + os.urandom(500),
    "offsets": lambda data: data[:-6] + struct.pack("<I", 2**32 - 1) + data[-2:],
}


def _zipped(folder: Path, members: dict[str, bytes]) -> Path:
    path = folder.parent / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _spoilt(folder: Path, spoil: Callable[[bytes], bytes]) -> Path:
    path = _zipped(folder, {f"tiny/{file.name}": file.read_bytes() for file in sorted(folder.iterdir())})
    path.write_bytes(spoil(path.read_bytes()))
    return path


def _with_kind(folder: Path, kind: int) -> Path:
    path = folder.parent / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("m/model.json")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return path


def _bomb(folder: Path) -> Path:
    path = folder.parent / "m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/a.csv", bytes(1 << 20))
        archive.filelist[0].file_size = 5 << 30
    return path


def _file(folder: Path, name: str, content: bytes) -> Path:
    (folder.parent / name).write_bytes(content)
    return folder.parent / name


def _saved(value: object) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def _expanded() -> bytes:
    import torch

    return _saved({"model.1.weight": torch.zeros(1).expand(2**20, 2**10)})


def _sparse() -> bytes:
    import torch

    return _saved({"model.1.weight": torch.sparse_coo_tensor([[0], [0]], [1.0], (2**20, 2**20))})


def _strange() -> bytes:
    import torch

    return _saved({"model.1.weight": torch.zeros(64, 1, 7, 7), "a\ud800b": torch.zeros(2)})


PTH: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"hello",
    "pickle": lambda: pickle.dumps(Payload()),
    "old-pickle": lambda: pickle.dumps(Payload(), 0),
    "code-inside": lambda: _saved(Payload()),
    "code-among-weights": lambda: _saved({"model.1.weight": Payload()}),
    "a-list": lambda: _saved([1, 2, 3]),
    "a-number": lambda: _saved(3),
    "no-weights": lambda: _saved({}),
    "no-tensors": lambda: _saved({"model.1.weight": "x"}),
    "expanded": _expanded,
    "sparse": _sparse,
    "strange-name": _strange,
    "half": lambda: _expanded()[:300],
    "random": lambda: os.urandom(500),
    "zip-of-nothing": lambda: b"PK\x05\x06" + bytes(18),
}


def _graph(kind: str, **more: object) -> bytes:
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 1, "h", "w"))
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, (1, 1, "h", "w"))
    graph = helper.make_graph([helper.make_node(kind, ["image"], ["result"], **more)], "g", [image], [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


ONNX: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"hello",
    "random": lambda: os.urandom(500),
    "half": lambda: _graph("Tanh")[:40],
    "unknown-operator": lambda: _graph("Mystery"),
    "out-of-range": lambda: _graph("Exp"),
    "wrong-attribute": lambda: _graph("Tanh", axis="x"),
    "constant": lambda: _graph("ConstantOfShape"),
}
PICTURES = {
    "empty": b"",
    "text": b"hello",
    "head": b"\x89PNG\r\n\x1a\n",
    "script": b"<svg onload='alert(1)'/>",
}
