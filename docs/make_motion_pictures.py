"""Makes the moving pictures of docs/motion.md, and the table of verdicts beside them.

python docs/make_motion_pictures.py DATA [--only contrasts|scanners|registration] [--output FOLDER]

DATA holds the folders ``brats`` and ``open-ms`` of the scans that docs/quality.md names. All is done by the command
``sst`` from file to file, as anybody would; the patient of the first and last picture was in no training and no choice.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.body_mask import body_mask
from surgical_style_engine.volumes.normalization import RobustPercentile
from surgical_style_engine.volumes.volume import Volume

FRAMES = 18  # there, and the same back
SECONDS_A_FRAME = 0.12
PATIENT = "CBICA_AQN_1"
FILES = {"T1w": "T1", "T1w-Gd": "T1C", "T2w": "T2", "FLAIR": "FLAIR"}
TARGETS = ("T1w", "T2w", "FLAIR")
STYLE = "brain-mr-any-contrast"
OTHERS = "the others"  # all contrasts but the one that is made
COLOURS = {"green": "#3fae49", "amber": "#e0a100", "red": "#d03030", "none": "#888888"}
LARGEST_ERROR = 1.2  # of a range of 2, white in the maps
REFERENCE = ("TCIA01_201_1", "TCIA01_425_1", "TCIA01_499_1")
SCANNERS = ("brats/CBICA_ABM_1_T1", "brats/TCIA02_135_1_T1", "open-ms/mni/patient19_T1")
TURNED_DEG, TURNED_ABOUT = 84.1, (-0.373, -0.836, 0.401)  # of the scan that is laid back
CREDIT = "MR: BraTS (Bakas et al., Scientific Data 2017), CC BY 3.0 and 4.0"
CREDIT_MS = "; Open MS Data (Lesjak et al., Neuroinformatics 2016), CC-BY"
EDGE = (255, 200, 0)  # colour of the edge of the T1w's body
LINE = 16  # pixels of a line of text


def main() -> int:
    """Make the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=("contrasts", "scanners", "registration"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "pictures")
    given = parser.parse_args()
    makers = {"contrasts": contrasts, "scanners": scanners, "registration": registration}
    for name, make in makers.items():
        if given.only in (None, name):
            with tempfile.TemporaryDirectory() as work:
                path = given.output / f"motion-{name}.webp"
                save(make(given.data, Path(work)), path)
                print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    return 0


def contrasts(data: Path, work: Path) -> list[Image.Image]:
    """One patient: every contrast made from every other one and from all others, beside the real one."""
    real = {name: read_volume(data / "brats" / f"{PATIENT}_{ending}.nii.gz") for name, ending in FILES.items()}
    body = upright(real["T1w"], body_mask(real["T1w"]))
    numbers, box = slices_of(body), box_of(body)
    grey = {name: normalised(volume) for name, volume in real.items()}
    blank = np.zeros_like(next(iter(grey.values())))
    cells: dict[tuple[str, str], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    verdicts: dict[tuple[str, str], dict] = {}
    for source in (*FILES, OTHERS):
        for target in TARGETS:
            if source == target:
                continue
            made, bound, report = translated(data, work, source, target)
            landmarks = RobustPercentile().fit(made.array)
            image = upright(made, landmarks.forward(made.array)[0])
            scale = 2 / (landmarks.high - landmarks.low)
            error = np.abs(image - grey[target]) * body
            cells[source, target] = (
                unit(image),
                error / LARGEST_ERROR,
                upright(bound, bound.array[0]) * scale / LARGEST_ERROR * body,
            )
            verdicts[source, target] = report["quality"]["verdict"]
    tell(verdicts)
    frames = []
    for number in numbers:
        rows = [strip([(unit(grey[target]), "grey") for target in TARGETS], number, box, spread=3)]
        for source in (*FILES, OTHERS):
            row = []
            for target in TARGETS:
                if (source, target) in cells:
                    image, error, bound = cells[source, target]
                    row += [(image, "grey"), (error, "heat"), (bound, "heat")]
                else:
                    row += [(unit(grey[source]), "dim"), (blank, "grey"), (blank, "grey")]
            rows.append(strip(row, number, box))
        frames.append(labelled(rows, verdicts))
    return frames


def translated(data: Path, work: Path, source: str, target: str) -> tuple[Volume, Volume, dict]:
    """(translation, bound of its error, report) of the patient by ``sst translate``; source: or ``OTHERS``."""
    names = [str(work / name) for name in ("made.nii.gz", "bound.nii.gz", "report.json")]
    given = [name for name in FILES if name != target] if source == OTHERS else [source]
    scans = {name: data / "brats" / f"{PATIENT}_{FILES[name]}.nii.gz" for name in given}
    stated = [part for name, scan in scans.items() for part in ("--as", f"{name}={scan}")]
    asked = ("--model", STYLE, "--to", target, "--error-map", names[1], "--report", names[2])
    sst("translate", *scans.values(), names[0], *stated, *asked)
    report = json.loads(Path(names[2]).read_text(encoding="utf-8"))
    return read_volume(names[0]), read_volume(names[1]), report


def tell(verdicts: dict[tuple[str, str], dict]) -> None:
    """The verdicts as a table, Markdown."""
    print("| from | to | verdict | |\n|---|---|---|---|")
    for (source, target), verdict in verdicts.items():
        print(f"| {source} | {target} | {verdict['level']} | {verdict['sentence']} |")


def scanners(data: Path, work: Path) -> list[Image.Image]:
    """Three scanners on one grey scale, as they came and in the look of three scans of a fourth."""
    reference = work / "TCIA01"
    reference.mkdir()
    for name in REFERENCE:
        (reference / f"{name}_T1.nii.gz").symlink_to((data / "brats" / f"{name}_T1.nii.gz").resolve())
    before, after, boxes, numbers = [], [], [], []
    for scan in SCANNERS:
        output = work / f"{Path(scan).name}.nii.gz"
        sst("harmonise", data / f"{scan}.nii.gz", output, "--like", reference)
        pair = read_volume(data / f"{scan}.nii.gz"), read_volume(output)
        body = upright(pair[0], body_mask(pair[0]))
        boxes.append(box_of(body))
        numbers.append(slices_of(body))
        before.append(upright(pair[0], pair[0].array[0]))
        after.append(upright(pair[1], pair[1].array[0]))
    white = [np.percentile(image[image > 0], 99.5) for image in after]
    first = np.percentile(before[0][before[0] > 0], 99.5)
    frames = []
    for step in range(FRAMES):
        rows = []
        for images, top in ((before, [first] * 3), (after, [float(np.median(white))] * 3)):
            tiles = [
                tile(image / level, "grey", places[step], box)
                for image, level, places, box in zip(images, top, numbers, boxes, strict=True)
            ]
            rows.append(side_by_side([fitted(one, 220, 260) for one in tiles]))
        frames.append(
            stacked([rows[0], rows[1]], ["as they came, on one grey scale", "in the look of three scans of TCIA01"])
        )
    return frames


def registration(data: Path, work: Path) -> list[Image.Image]:
    """A T2w turned far, laid over the T1w by mutual information and through a translation; the edge is the T1w's."""
    fixed, moving = (read_volume(data / "brats" / f"{PATIENT}_{FILES[name]}.nii.gz") for name in ("T1w", "T2w"))
    body = body_mask(fixed)
    middle = (np.argwhere(body).mean(0)[::-1] * fixed.spacing) @ fixed.direction.T + fixed.origin
    turn = sitk.VersorRigid3DTransform()
    turn.SetCenter(middle.tolist())
    turn.SetRotation(TURNED_ABOUT, float(np.radians(TURNED_DEG)))
    image = moving.to_sitk()
    frame = sitk.ConstantPad(image, [60] * 3, [60] * 3, 0.0)
    turned, first, tfm = (work / name for name in ("turned.nii.gz", "fixed.nii.gz", "found.tfm"))
    write_volume(Volume.from_sitk(sitk.Resample(image, frame, turn, sitk.sitkLinear, 0.0, sitk.sitkFloat32)), turned)
    write_volume(fixed, first)
    came = sitk.Resample(sitk.ReadImage(str(turned)), fixed.to_sitk(), sitk.Transform(3, sitk.sitkIdentity))
    shown = {"T1w": fixed, "T2w as it came": Volume.from_sitk(came)}
    places = (np.argwhere(body)[::997, ::-1] * fixed.spacing) @ fixed.direction.T + fixed.origin
    for name, way in (("mutual information", ()), ("through T2w to T1w", ("--through", "brain-mr-t1w-t2w"))):
        sst("register", first, turned, work / "laid.nii.gz", "--transform", tfm, *way)
        found = sitk.ReadTransform(str(tfm))
        # Where the turned scan came from, of where it was found: home, if all is right.
        home = np.array([turn.TransformPoint(found.TransformPoint(place.tolist())) for place in places])
        off = float(np.linalg.norm(home - places, axis=1).mean())
        shown[f"{name}: {off:.1f} mm off"] = read_volume(work / "laid.nii.gz")
    print("; ".join(shown))
    eroded = sitk.GetArrayFromImage(sitk.BinaryErode(sitk.GetImageFromArray(body.astype(np.uint8)), (1, 1, 0)))
    edge = upright(fixed, body & (eroded == 0))
    numbers, box = slices_of(upright(fixed, body)), box_of(upright(fixed, body))
    images = {name: upright(fixed, volume.array[0]) for name, volume in shown.items()}
    images = {name: image / np.percentile(image[image > 0], 99.5) for name, image in images.items()}
    frames = []
    for number in numbers:
        row = []
        for image in images.values():
            picture = np.asarray(tile(image, "grey", number, box)).copy()
            picture[edge[number][box]] = EDGE
            row.append(fitted(Image.fromarray(picture), 230, 270))
        frames.append(headed(side_by_side(row), list(images)))
    return frames


def headed(row: Image.Image, titles: list[str]) -> Image.Image:
    """A row of equally wide pictures, each under its title, with the credit at the bottom."""
    whole = Image.new("RGB", (row.width, row.height + 2 * LINE))
    draw, wide = ImageDraw.Draw(whole), row.width // len(titles)
    for place, title in enumerate(titles):
        draw.text((place * wide + 4, 1), title, fill="white", font=ImageFont.load_default(12))
    whole.paste(row, (0, LINE))
    draw.text((4, LINE + row.height + 2), CREDIT, fill="#999999", font=ImageFont.load_default(10))
    return whole


def sst(*arguments: object) -> None:
    """Run the command."""
    subprocess.run([sys.executable, "-m", "training_cli.main", *map(str, arguments)], check=True, capture_output=True)


def normalised(volume: Volume) -> np.ndarray:
    """(z, y, x) in [-1, 1], front of the head up."""
    return upright(volume, RobustPercentile().fit(volume.array).forward(volume.array)[0])


def upright(volume: Volume, image: np.ndarray) -> np.ndarray:
    """An image (z, y, x) of a volume with the front of the head in its first rows."""
    return image[:, ::-1] if volume.direction[1, 1] < 0 else image


def unit(image: np.ndarray) -> np.ndarray:
    """From [-1, 1] to [0, 1]."""
    return (image + 1) / 2


def slices_of(body: np.ndarray) -> list[int]:
    """Evenly spaced axial slices from low in the brain to high."""
    inside = np.flatnonzero(body.sum((1, 2)) > 0.25 * body.sum((1, 2)).max())
    return [int(number) for number in np.linspace(inside[0], inside[-1], FRAMES)]


def box_of(body: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold the body, with a small margin."""
    sides = []
    for axis in ((0, 2), (0, 1)):
        inside = np.flatnonzero(body.any(axis))
        sides.append(slice(max(0, int(inside[0]) - 3), int(inside[-1]) + 4))
    return sides[0], sides[1]


def tile(image: np.ndarray, kind: str, number: int, box: tuple[slice, slice]) -> Image.Image:
    """A slice of an image in [0, 1]."""
    picture = np.clip(image[number][box], 0, 1)
    if kind == "heat":
        colours = np.stack([np.clip(3 * picture - shift, 0, 1) for shift in (0, 1, 2)], -1)
        return Image.fromarray((255 * colours).astype(np.uint8))
    share = 0.35 if kind == "dim" else 1.0
    return Image.fromarray((255 * share * picture).astype(np.uint8)).convert("RGB")


def strip(images: list[tuple[np.ndarray, str]], number: int, box: tuple[slice, slice], spread: int = 1) -> Image.Image:
    """Slices beside each other; each stands at the left of ``spread`` places."""
    tiles = [tile(image, kind, number, box).resize((108, 132), Image.Resampling.BILINEAR) for image, kind in images]
    row = Image.new("RGB", (108 * spread * len(tiles), 132))
    for place, one in enumerate(tiles):
        row.paste(one, (108 * spread * place, 0))
    return row


def fitted(picture: Image.Image, wide: int, high: int) -> Image.Image:
    """In the middle of a black rectangle, as large as it goes."""
    scale = min(wide / picture.width, high / picture.height)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR)
    whole = Image.new("RGB", (wide, high))
    whole.paste(small, ((wide - small.width) // 2, (high - small.height) // 2))
    return whole


def side_by_side(tiles: list[Image.Image]) -> Image.Image:
    """One row of pictures."""
    row = Image.new("RGB", (sum(one.width for one in tiles), max(one.height for one in tiles)))
    left = 0
    for one in tiles:
        row.paste(one, (left, 0))
        left += one.width
    return row


def stacked(rows: list[Image.Image], titles: list[str]) -> Image.Image:
    """Rows under their titles, with the credit at the bottom."""
    whole = Image.new("RGB", (rows[0].width, sum(row.height + LINE for row in rows) + LINE))
    draw, font, top = ImageDraw.Draw(whole), ImageFont.load_default(12), 0
    for row, title in zip(rows, titles, strict=True):
        draw.text((4, top + 1), title, fill="white", font=font)
        whole.paste(row, (0, top + LINE))
        top += LINE + row.height
    draw.text((4, top + 2), CREDIT + CREDIT_MS, fill="#999999", font=ImageFont.load_default(10))
    return whole


def labelled(rows: list[Image.Image], verdicts: dict[tuple[str, str], dict]) -> Image.Image:
    """The rows of ``contrasts`` with what they are; a dot of the verdict's colour at each translation."""
    left, font = 62, ImageFont.load_default(12)
    whole = Image.new("RGB", (left + rows[1].width, LINE + sum(row.height for row in rows) + LINE))
    draw = ImageDraw.Draw(whole)
    for place, target in enumerate(TARGETS):
        draw.text((left + 324 * place + 4, 1), f"{target}: made, wrong by, bound", fill="white", font=font)
    for number, (row, name) in enumerate(zip(rows, ("real", *FILES, OTHERS), strict=True)):
        top = LINE + 132 * number
        whole.paste(row, (left, top))
        draw.text((4, top + 58), name if number == 0 else f"from\n{name}", fill="white", font=font)
        for place, target in enumerate(TARGETS):
            corner = left + 324 * place
            if number and (name, target) in verdicts:
                level = verdicts[name, target]["level"]
                draw.ellipse((corner + 4, top + 4, corner + 13, top + 13), fill=COLOURS.get(level, "#888888"))
            elif name == target:
                draw.text((corner + 112, top + 58), "the input itself", fill="#999999", font=font)
    draw.text((4, whole.height - LINE + 2), CREDIT, fill="#999999", font=ImageFont.load_default(10))
    return whole


def save(frames: list[Image.Image], path: Path) -> None:
    """There and back, for ever."""
    there = frames + frames[-2:0:-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    there[0].save(
        path,
        save_all=True,
        append_images=there[1:],
        duration=round(1000 * SECONDS_A_FRAME),
        loop=0,
        quality=45,
        method=6,
    )


if __name__ == "__main__":
    sys.exit(main())
