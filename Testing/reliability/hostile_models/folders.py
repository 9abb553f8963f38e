"""Model folders whose card, weights or README are not what they should be."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reliability.generated.values import GONE, put

from surgical_style_engine.models.weights import sha256_of

Case = Callable[[Path], Path]  # from a whole model folder, a copy, to what is to be taken in
HUGE, NAN = 10**30, float("nan")
DEEP = "[" * 100_000
# Places in the card, and what cannot stand there.
CARDS: dict[str, list[Any]] = {
    "schema_version": [GONE, 0, 2, "1", None, [], "x" * 10**6, 1e300],
    "name": [GONE, "", "../up", "a/b", "a\\b", "x" * 65, "a\nb", "\ud800", "\x1b]0;owned\x07", None, 3, "CON:"],
    "title": [GONE, None, 3, ["a"]],
    "architecture": [GONE, None, "resnet", {}, []],
    "architecture.name": [GONE, "", "os:system", "eval", "../resnet", None, "onnx", "style-image"],
    "architecture.arguments": [None, [], {"ngf": HUGE}, {"ngf": -1}, {"ngf": 2**20}, {"ngf": "4"}, {"n_blocks": 10**6}],
    "architecture.arguments.in_channels": [0, -1, 7, "1", 2**31],
    "architecture.backward_arguments": [[], {"ngf": 5}],
    "domains": [GONE, None, [], {}],
    "domains.source": [GONE, None, []],
    "domains.source.channels": [0, 2, 99, -1, HUGE, "x"],
    "domains.source.normalization": [GONE, None, {}, {"kind": "exec"}, {"kind": 3}],
    "domains.source.inverse": [GONE, None, {}, {"kind": "robust_percentile"}],
    "domains.source.statistics": [
        [],
        {"histograms": {}},
        {"histograms": [[1], [1, 2]]},
        {"histograms": [["a"]]},
        {"histograms": [[2]]},
        {"usual_distance": -1},
        {"usual_distance": "a"},
    ],
    "spacing_mm": [0, -1, 1e300, 1e9, "a", []],
    "plane": ["oblique", None, 3],
    "stack": [0, 2, -1, 101, HUGE, "x"],
    "stack_spacing_mm": [0, -1, 1e300, 1e-400, NAN, "x"],
    "directions": [[], ["sideways"], ["forward", "forward"], "forward", None],
    "training": [[], 3],
    "metrics": [[], "x"],
    "lesions": [[], {"sideways": {}}, {"forward": {}}],
    "weights": [GONE, None, {}, []],
    "weights.file": ["../weights.safetensors", "/etc/passwd", "model.onnx", "weights.pkl", None],
    "weights.sha256": ["0" * 64, "", "x" * 64, None, "0" * 63],
    "weights.bytes": [0, -1, 1, HUGE, None],
    "more": [1],
}
TEXTS = {
    "empty": b"",
    "zeros": bytes(100),
    "list": b"[]",
    "number": b"1",
    "open": b"{",
    "deep": DEEP.encode(),
    "deep-table": b'{"a":' * 50_000,
    "latin": '{"name": "\xe9"}'.encode("latin-1"),
    "utf-16": '{"schema_version": 1}'.encode("utf-16"),
    "digits": b'{"schema_version": ' + b"9" * 10_000 + b"}",
    "twice": b'{"schema_version": 1}{"schema_version": 1}',
    "nine-megabytes": b'{"title": "' + b"x" * (9 << 20) + b'"}',
    "nan": b'{"schema_version": NaN}',
    "random": os.urandom(300),
}


def cases() -> Iterator[tuple[str, Case]]:
    """Names and makers."""
    for place, values in CARDS.items():
        for number, value in enumerate(values):
            yield f"card/{place}-{number}", lambda folder, place=place, value=value: _with(folder, place, value)
    for name, text in TEXTS.items():
        yield f"card-text/{name}", lambda folder, text=text: _written(folder, "model.json", text)
    for name, change in _WEIGHTS.items():
        yield f"weights/{name}", lambda folder, change=change: _other_weights(folder, change)
    for name, target in {"endless": "/dev/zero", "itself": "model.json", "nowhere": "gone.json"}.items():
        yield f"card-link/{name}", lambda folder, target=target: _linked(folder, "model.json", target)
    for name, target in {"endless": "/dev/zero", "itself": "weights.safetensors", "elsewhere": "../tiny"}.items():
        yield f"weights-link/{name}", lambda folder, target=target: _linked(folder, "weights.safetensors", target)
    yield "card-pipe/pipe", lambda folder: _pipe(folder, "model.json")
    yield "weights-pipe/pipe", lambda folder: _pipe(folder, "weights.safetensors")


def _with(folder: Path, place: str, value: Any) -> Path:
    path = folder / "model.json"
    card = put(json.loads(path.read_text()), tuple(place.split(".")), value)
    path.write_text(json.dumps(card))
    return folder


def _written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder


def _other_weights(folder: Path, change: Callable[[bytes], bytes]) -> Path:
    """With their right digest, so that only what is in them is wrong."""
    path = folder / "weights.safetensors"
    path.write_bytes(change(path.read_bytes()))
    _with(folder, "weights.bytes", path.stat().st_size)
    return _with(folder, "weights.sha256", sha256_of(path))


def _linked(folder: Path, name: str, target: str) -> Path:
    (folder / name).unlink()
    (folder / name).symlink_to(target)
    return folder


def _pipe(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    return folder


def _header(change: Callable[[dict], Any]) -> Callable[[bytes], bytes]:
    """The weights with another header; the voxels of each tensor stay."""

    def changed(data: bytes) -> bytes:
        (length,) = struct.unpack_from("<Q", data)
        table = json.loads(data[8 : 8 + length])
        text = change(table)
        text = json.dumps(table if text is None else text).encode() if not isinstance(text, bytes) else text
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return changed


def _first(table: dict) -> dict:
    return next(entry for name, entry in table.items() if name != "__metadata__")


_WEIGHTS: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "one-byte": lambda data: data[:1],
    "eight-bytes": lambda data: data[:8],
    "header-only": lambda data: data[: 8 + struct.unpack_from("<Q", data)[0]],
    "endless-header": lambda data: struct.pack("<Q", 2**63) + data[8:],
    "long-header": lambda data: struct.pack("<Q", len(data) * 10) + data[8:],
    "no-header": lambda data: struct.pack("<Q", 0) + data[8:],
    "a-pickle": lambda data: b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.",
    "a-zip": lambda data: b"PK\x03\x04" + bytes(200),
    "random": lambda data: os.urandom(500),
    "zeros": lambda data: data[: 8 + struct.unpack_from("<Q", data)[0]] + bytes(len(data)),
    "all-zero": lambda data: (
        data[: 8 + struct.unpack_from("<Q", data)[0]] + bytes(len(data) - 8 - struct.unpack_from("<Q", data)[0])
    ),
    "all-nan": lambda data: (
        data[: 8 + struct.unpack_from("<Q", data)[0]] + b"\xff" * (len(data) - 8 - struct.unpack_from("<Q", data)[0])
    ),
    "no-tensors": _header(lambda table: {}),
    "deep-header": _header(lambda table: DEEP.encode()),
    "text-header": _header(lambda table: b"hello"),
    "list-header": _header(lambda table: []),
    "huge-shape": _header(lambda table: _first(table).update(shape=[2**40, 2**20])),
    "negative-shape": _header(lambda table: _first(table).update(shape=[-1, -1])),
    "shape-of-letters": _header(lambda table: _first(table).update(shape=["a"])),
    "offsets-behind-the-end": _header(lambda table: _first(table).update(data_offsets=[0, 2**50])),
    "offsets-turned": _header(lambda table: _first(table).update(data_offsets=[100, 0])),
    "overlapping": _header(lambda table: [entry.update(data_offsets=[0, 4]) for entry in table.values()] and None),
    "unknown-type": _header(lambda table: _first(table).update(dtype="F7")),
    "another-type": _header(lambda table: _first(table).update(dtype="I64")),
    "no-type": _header(lambda table: _first(table).pop("dtype") and None),
    "other-names": _header(lambda table: {f"x.{name}": entry for name, entry in table.items()}),
    "one-way-missing": _header(lambda table: {n: e for n, e in table.items() if not n.startswith("backward")}),
}
