"""Arbitrary style transfer by two ONNX networks (Ghiasi et al., BMVC 2017): one sees the style picture and predicts a
vector, the other transforms images by it.

The vector is computed once, at import, and becomes a constant of the second network: a style like any ONNX model.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.style_picture import LUMINANCE, as_bytes, read_picture, reduced
from surgical_style_engine.imageio.volume_io import write_volume
from surgical_style_engine.models.archive import check_name
from surgical_style_engine.models.folder import Architecture, ModelCard, save_model, sha256_of
from surgical_style_engine.models.importers.onnx import load_onnx, read_onnx
from surgical_style_engine.models.importers.picture import THUMBNAIL, style_card
from surgical_style_engine.models.style_settings import parse_settings
from surgical_style_engine.volumes.geometry import resize_in_plane
from surgical_style_engine.volumes.volume import Volume

CITATION = "Ghiasi et al., Exploring the structure of a real-time, arbitrary neural artistic stylization network, 2017"
USUAL_SIZE = 256  # pixels of the style picture, where the first network takes any size
LARGEST_VECTOR = 100_000


def import_arbitrary_style(
    predict: Path,
    transform: Path,
    style: Path,
    folder: Path,
    *,
    name: str,
    title: str = "",
    licence: str = "unstated",
    citation: str = "",
    colour: str = "rgb",
    plane: str = "axial",
    overwrite: bool = False,
) -> ModelCard:
    """Write the model folder ``folder``. Raises InputError with one sentence for what is no such pair of networks.

    predict: one image in [0, 1], (1, 3, h, w) or (1, h, w, 3), to a vector. transform: such an image and the vector to
    an image in [0, 1]. colour: "rgb" or "luminance".
    """
    check_name(name)
    settings = parse_settings({"colour": colour})
    picture = read_picture(style)
    for path in (predict, transform):
        if not path.is_file():
            raise InputError(f"There is no file {path}.")
    vector = style_vector(predict, picture)
    content = with_style(transform, vector, settings.colour)
    training = {
        "method": "arbitrary style",
        "files": {path.name: sha256_of(path) for path in (predict, transform, style)},
        "date": date.today().isoformat(),
    }
    card = style_card(
        settings,
        name=name,
        title=title,
        style_name=title or name,
        plane=plane,
        licence=licence,
        training=training,
        architecture=Architecture(name="onnx", arguments={"style_picture": True}),
        citation=citation or CITATION,
    )
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.onnx"
        path.write_bytes(content)
        try:
            network = read_onnx(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), str(transform))) from None
        path.write_bytes(network.content)
        made = save_model(folder, card, path, readme=_readme(card), overwrite=overwrite)
    small = as_bytes(reduced(picture, THUMBNAIL))
    write_volume(Volume(small[:, None], is_2d=True), Path(folder) / "thumbnail.png")
    return made


def style_vector(predict: Path, picture: np.ndarray) -> np.ndarray:
    """What the first network says of a picture (3, h, w) in [0, 1], of which it sees the square in the middle."""
    model = load_onnx(predict)
    image = _image(_inputs(model, predict, 1)[0], predict)
    sides = image["sides"] or (USUAL_SIZE, USUAL_SIZE)
    side = min(picture.shape[-2:])
    top, left = ((length - side) // 2 for length in picture.shape[-2:])
    square = resize_in_plane(picture[:, None, top : top + side, left : left + side], sides)[:, 0]
    batch = square[None] if image["channels_first"] else square.transpose(1, 2, 0)[None]
    (vector,) = _run(model, {image["name"]: np.ascontiguousarray(batch, np.float32)}, predict)[:1]
    if vector.size > LARGEST_VECTOR or not np.isfinite(vector).all():
        raise InputError(f"The ONNX model {predict} gives no style vector.")
    return np.asarray(vector, np.float32)


def with_style(transform: Path, vector: np.ndarray, colour: str) -> bytes:
    """The second network with the vector as a constant: grey images (1, 1, h, w) in [-1, 1] of any size in, colour or
    luminance in [-1, 1] out."""
    from onnx import helper, numpy_helper

    model = load_onnx(transform)
    graph = model.graph
    inputs = _inputs(model, transform, 2)
    images = [value for value in inputs if len(value.type.tensor_type.shape.dim) == 4 and _has_three(value)]
    if not images:
        raise InputError(f"The ONNX model {transform} takes no colour image.")
    content = images[0]
    (style,) = [value for value in inputs if value.name != content.name]
    wanted = [dim.dim_value for dim in style.type.tensor_type.shape.dim]
    if len(wanted) != vector.ndim or any(a and a != b for a, b in zip(wanted, vector.shape, strict=True)):
        raise InputError(
            f"The two ONNX models do not fit: one gives a style of {list(vector.shape)}, the other takes {wanted}."
        )
    image = _image(content, transform)
    if len(graph.output) != 1:
        raise InputError(f"The ONNX model {transform} has {len(graph.output)} outputs; a style network has one.")
    result = graph.output[0].name
    # Grey to three equal channels, and [-1, 1] to [0, 1] and back: convolutions of one pixel do both.
    mixed = np.eye(3, dtype=np.float32) if colour == "rgb" else np.array([LUMINANCE], np.float32)
    constants = {
        "sst_in_weight": np.full((3, 1, 1, 1), 0.5, np.float32),
        "sst_in_bias": np.full(3, 0.5, np.float32),
        "sst_out_weight": 2 * mixed[:, :, None, None],
        "sst_out_bias": np.full(len(mixed), -1, np.float32),
        style.name: vector,
    }
    first, last = image["channels_first"], image["channels_first"]
    before = [
        helper.make_node(
            "Conv", ["sst_image", "sst_in_weight", "sst_in_bias"], [content.name if first else "sst_planes"]
        )
    ]
    if not first:
        before.append(helper.make_node("Transpose", ["sst_planes"], [content.name], perm=[0, 2, 3, 1]))
    after = [] if last else [helper.make_node("Transpose", [result], ["sst_made"], perm=[0, 3, 1, 2])]
    after.append(
        helper.make_node("Conv", [result if last else "sst_made", "sst_out_weight", "sst_out_bias"], ["sst_result"])
    )
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
    graph.input.append(helper.make_tensor_value_info("sst_image", 1, [1, 1, "height", "width"]))
    graph.output.append(helper.make_tensor_value_info("sst_result", 1, [1, len(mixed), "height", "width"]))
    return model.SerializeToString()


def _inputs(model: Any, path: Path, count: int) -> list[Any]:
    known = {tensor.name for tensor in model.graph.initializer}
    found = [value for value in model.graph.input if value.name not in known]
    if len(found) != count:
        what = "the first part of a style network has one" if count == 1 else "the second part has an image and a style"
        raise InputError(f"The ONNX model {path} has {len(found)} inputs; {what}.")
    return found


def _has_three(value: Any) -> bool:
    dims = value.type.tensor_type.shape.dim
    return 3 in (dims[1].dim_value, dims[3].dim_value)


def _image(value: Any, path: Path) -> dict[str, Any]:
    """name, channels_first and sides (or None) of an input that takes one colour image."""
    tensor = value.type.tensor_type
    dims = [dim.dim_value for dim in tensor.shape.dim]
    if tensor.elem_type != 1 or len(dims) != 4 or not _has_three(value):
        raise InputError(f"The ONNX model {path} takes no batch of colour images of floats.")
    first = dims[1] == 3
    sides = tuple(dims[2:] if first else dims[1:3])
    if max(sides) > 4096:
        raise InputError(f"The ONNX model {path} takes images of {sides[0]} x {sides[1]} pixels, which is too large.")
    return {"name": value.name, "channels_first": first, "sides": sides if all(sides) else None}


def _run(model: Any, values: dict[str, np.ndarray], path: Path) -> list[np.ndarray]:
    try:
        import onnxruntime
    except ImportError:
        raise InputError("Importing ONNX models needs the packages onnx and onnxruntime.") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, values)
    except Exception as error:  # onnxruntime's own exception types are not public
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"The ONNX model {path} cannot be run: {reason}.") from None


def _readme(card: ModelCard) -> str:
    files = "\n".join(f"- `{file}`, SHA-256 {digest}" for file, digest in card.training["files"].items())
    return (
        f"# {card.title}\n\nAn arbitrary-style network with the style of a picture, imported on "
        f"{card.training['date']} from\n\n{files}\n\n**Intended use.** {card.intended_use}\n\n"
        f"**Licence of networks and picture.** {card.licence}\n\n**Cite.** {card.citation}\n"
    )
