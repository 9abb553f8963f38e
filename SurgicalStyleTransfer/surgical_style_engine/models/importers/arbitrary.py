"""Arbitrary style transfer by two ONNX networks (Ghiasi et al., BMVC 2017) and a picture.

One network sees the style picture and predicts a vector, the other transforms images by it. The vector is computed
once, at import, and becomes a constant of the second network: a style like any ONNX model.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from typing_extensions import Unpack

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.style_picture import LUMINANCE, read_picture
from surgical_style_engine.models.card import Architecture, CardTexts, ModelCard
from surgical_style_engine.models.folder import save_model
from surgical_style_engine.models.names import check_name
from surgical_style_engine.models.picture_style import style_card
from surgical_style_engine.models.style_settings import parse_settings
from surgical_style_engine.models.weights import sha256_of
from surgical_style_engine.volumes.resampling import resize_in_plane

from .onnx import load_onnx, open_session, read_onnx
from .picture import write_thumbnail

CITATION = "Ghiasi et al., Exploring the structure of a real-time, arbitrary neural artistic stylization network, 2017"
USUAL_SIZE = 256  # pixels of the style picture, where the first network takes any size
LARGEST_VECTOR = 100_000  # numbers
LARGEST_SIDE = 4096  # pixels


def import_arbitrary_style(
    predict: Path,
    transform: Path,
    style: Path,
    folder: Path,
    *,
    name: str,
    colour: str = "rgb",
    overwrite: bool = False,
    **texts: Unpack[CardTexts],
) -> ModelCard:
    """Write a model folder from an arbitrary-style network and a picture.

    Args:
        predict: ONNX file of the network from one image in [0, 1], (1, 3, h, w) or (1, h, w, 3), to a vector.
        transform: ONNX file of the network from such an image and the vector to an image in [0, 1].
        style: The picture's file.
        folder: The model's folder.
        name: The model's name.
        colour: "rgb", or "luminance" for the texture only.
        overwrite: Whether a folder of that name is replaced.
        **texts: Title, plane, licence and citation of the card.

    Returns:
        The card.

    Raises:
        InputError: With one sentence for what is no such pair of networks.
        StyleTransferError: If the folder cannot be written.
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
    texts["citation"] = texts.get("citation") or CITATION
    architecture = Architecture(name="onnx", arguments={"style_picture": True})
    style_name = texts.get("title") or name
    card = style_card(settings, name=name, style_name=style_name, training=training, architecture=architecture, **texts)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        path = Path(temporary) / "model.onnx"
        path.write_bytes(content)
        try:
            network = read_onnx(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), str(transform))) from None
        path.write_bytes(network.content)
        saved = save_model(folder, card, path, readme=_readme(card), overwrite=overwrite)
    write_thumbnail(folder, picture)
    return saved


class _ImageInput(NamedTuple):
    """An input of a network that takes one colour image. sides: (h, w), or None where any size is taken."""

    name: str
    channels_first: bool
    sides: tuple[int, int] | None


def style_vector(predict: Path, picture: np.ndarray) -> np.ndarray:
    """What the first network says of a picture, of which it sees the square in the middle.

    Args:
        predict: ONNX file of the network.
        picture: (3, h, w) in [0, 1].

    Returns:
        float32, of the network's shape.

    Raises:
        InputError: If it is no such network.
    """
    model = load_onnx(predict)
    image = _image(_inputs(model, predict, 1)[0], predict)
    side = min(picture.shape[-2:])
    top, left = ((length - side) // 2 for length in picture.shape[-2:])
    middle = picture[:, None, top : top + side, left : left + side]
    square = resize_in_plane(middle, image.sides or (USUAL_SIZE, USUAL_SIZE))[:, 0]
    batch = square[None] if image.channels_first else square.transpose(1, 2, 0)[None]
    (vector,) = _run(model, {image.name: np.ascontiguousarray(batch, np.float32)}, predict)[:1]
    if vector.size > LARGEST_VECTOR or not np.isfinite(vector).all():
        raise InputError(f"The ONNX model {predict} gives no style vector.")
    return np.asarray(vector, np.float32)


def with_style(transform: Path, vector: np.ndarray, colour: str) -> bytes:
    """The second network with the vector as a constant.

    Args:
        transform: ONNX file of the network.
        vector: Of the style, see ``style_vector``.
        colour: "rgb" or "luminance".

    Returns:
        An ONNX file of grey images (1, 1, h, w) in [-1, 1] of any size to colour or luminance in [-1, 1].

    Raises:
        InputError: If it is no such network, or takes another style.
    """
    model = load_onnx(transform)
    content, style = _content_and_style(model, transform, vector)
    image = _image(content, transform)
    if len(model.graph.output) != 1:
        raise InputError(f"The ONNX model {transform} has {len(model.graph.output)} outputs; a style network has one.")
    # Grey to three equal channels, and [-1, 1] to [0, 1] and back: convolutions of one pixel do both.
    mixed = np.eye(3, dtype=np.float32) if colour == "rgb" else np.array([LUMINANCE], np.float32)
    constants = {
        "sst_in_weight": np.full((3, 1, 1, 1), 0.5, np.float32),
        "sst_in_bias": np.full(3, 0.5, np.float32),
        "sst_out_weight": 2 * mixed[:, :, None, None],
        "sst_out_bias": np.full(len(mixed), -1, np.float32),
        style.name: vector,
    }
    _wrap(model.graph, image, constants, len(mixed))
    return model.SerializeToString()


def _content_and_style(model: Any, path: Path, vector: np.ndarray) -> tuple[Any, Any]:
    """The inputs of the second network. Raises InputError unless the vector fits the style's."""
    inputs = _inputs(model, path, 2)
    images = [value for value in inputs if len(value.type.tensor_type.shape.dim) == 4 and _has_three(value)]
    if not images:
        raise InputError(f"The ONNX model {path} takes no colour image.")
    content = images[0]
    (style,) = [value for value in inputs if value.name != content.name]
    taken = [dim.dim_value for dim in style.type.tensor_type.shape.dim]
    if len(taken) != vector.ndim or any(a and a != b for a, b in zip(taken, vector.shape, strict=True)):
        raise InputError(
            f"The two ONNX models do not fit: one gives a style of {list(vector.shape)}, the other takes {taken}."
        )
    return content, style


def _wrap(graph: Any, image: _ImageInput, constants: dict[str, np.ndarray], channels: int) -> None:
    """Put the convolutions of one pixel around a graph, and the order of axes that it takes."""
    from onnx import helper, numpy_helper

    result = graph.output[0].name
    planes = image.name if image.channels_first else "sst_planes"
    before = [helper.make_node("Conv", ["sst_image", "sst_in_weight", "sst_in_bias"], [planes])]
    after = []
    if not image.channels_first:
        before.append(helper.make_node("Transpose", [planes], [image.name], perm=[0, 2, 3, 1]))
        after.append(helper.make_node("Transpose", [result], ["sst_made"], perm=[0, 3, 1, 2]))
        result = "sst_made"
    after.append(helper.make_node("Conv", [result, "sst_out_weight", "sst_out_bias"], ["sst_result"]))
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in constants.items())
    graph.input.append(helper.make_tensor_value_info("sst_image", 1, [1, 1, "height", "width"]))
    graph.output.append(helper.make_tensor_value_info("sst_result", 1, [1, channels, "height", "width"]))


def _inputs(model: Any, path: Path, count: int) -> list[Any]:
    """The inputs that are no weights. Raises InputError unless there are so many."""
    known = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in known]
    if len(inputs) != count:
        what = "the first part of a style network has one" if count == 1 else "the second part has an image and a style"
        raise InputError(f"The ONNX model {path} has {len(inputs)} inputs; {what}.")
    return inputs


def _has_three(value: Any) -> bool:
    dims = value.type.tensor_type.shape.dim
    return 3 in (dims[1].dim_value, dims[3].dim_value)


def _image(value: Any, path: Path) -> _ImageInput:
    """What an input takes. Raises InputError unless that is one colour image."""
    tensor = value.type.tensor_type
    dims = [dim.dim_value for dim in tensor.shape.dim]
    if tensor.elem_type != 1 or len(dims) != 4 or not _has_three(value):
        raise InputError(f"The ONNX model {path} takes no batch of colour images of floats.")
    channels_first = dims[1] == 3
    height, width = dims[2:] if channels_first else dims[1:3]
    if max(height, width) > LARGEST_SIDE:
        raise InputError(f"The ONNX model {path} takes images of {height} x {width} pixels, which is too large.")
    return _ImageInput(value.name, channels_first, (height, width) if height and width else None)


def _run(model: Any, values: dict[str, np.ndarray], path: Path) -> list[np.ndarray]:
    try:
        return open_session(model.SerializeToString()).run(None, values)
    except InputError:
        raise
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
