"""`sst compare` from the command line: table, JSON, page; bad input is one sentence and leaves nothing."""

import json

import numpy as np
import pytest
from lesion_phantom import phantom, smooth

from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume

SHAPE = (12, 40, 40)
LESIONS = (((6, 20, 14), 6),)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Two patients with lesions, and the blurred real images as what another tool made."""
    folder = tmp_path_factory.mktemp("compared")
    for name in ("source", "real", "lesions", "blurred"):
        (folder / name).mkdir()
    for number in (1, 2):
        head = phantom(number, LESIONS, SHAPE)
        images = {
            "source/p{}_T1": head.source + 1,
            "real/p{}_T2": head.real + 1,
            "lesions/p{}_lesions": head.labels,
            "blurred/p{}_T1": smooth(head.real, 1.0) + 1,
        }
        for place, image in images.items():
            array = image[None].astype(np.uint8) if image.dtype == bool else (500 * image[None]).astype(np.float32)
            write_volume(Volume(array, (1.0, 1.0, 3.0)), folder / f"{place.format(number)}.nii.gz")
    return folder


@pytest.fixture
def options(cohort):
    return ["--source", cohort / "source", "--reference", cohort / "real", "--device", "cpu"]


def test_a_model_beside_a_folder_twice_the_same(sst, tiny_model, cohort, options, tmp_path):
    outputs = ["--output", tmp_path / "page.html", "--report", tmp_path / "r.json", "--lesions", cohort / "lesions"]
    entries = []
    for more in (outputs, ["--lesions", cohort / "lesions"]):
        ended = sst("compare", tiny_model, cohort / "blurred", *options, "--json", *more)
        assert ended.code == 0, ended
        entries.append(json.loads(ended.out))
    machines = [entry.pop("machine") for entry in entries]
    assert entries[0] == entries[1]
    assert set(machines[0]) == {"tiny"} and machines[0]["tiny"]["seconds"] > 0 and machines[0]["tiny"]["peak_mb"] > 10
    (entry, _), names = entries, [each["name"] for each in entries[0]["candidates"]]
    assert names == ["tiny", "blurred"] and entry["people"] == 2
    blurred = entry["candidates"][1]
    assert blurred["rank"] < entry["candidates"][0]["rank"] and blurred["lesions"]["lost"] == 0
    difference = next(pair for pair in entry["differences"] if pair["figure"] == "psnr")
    assert difference["high"] < 0 and difference["patients"] == 2
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "not for diagnosis" in page and "blurred" in page and "http" not in page.replace("http-equiv", "")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["compared"]["candidates"][1]["mean"] == blurred["mean"] and len(report["inputs"]) == 2


def test_the_table(sst, cohort, options):
    ended = sst("compare", cohort / "blurred", *options)
    assert ended.code == 0 and "blurred" in ended.out and "PSNR (dB)" in ended.out and "grey" in ended.out


def test_bad_input_is_one_sentence_and_leaves_nothing(sst, refused, tiny_model, cohort, options, tmp_path):
    page = tmp_path / "page.html"
    alone = tmp_path / "alone"
    alone.mkdir()
    head = phantom(1, LESIONS, SHAPE)
    write_volume(Volume((head.real[None, :, 2:] + 1).astype(np.float32)), alone / "p1_T1.nii.gz")
    cases = [
        ([cohort / "blurred", cohort / "blurred"], options, "Two candidates are called blurred"),
        (["no-such-style"], options, "There is no model"),
        ([tiny_model, f"back={tiny_model}:backward"], options, "one pair of contrasts"),
        ([cohort / "lesions"], [*options, "--output", tmp_path / "page.txt"], "ends with .html"),
        ([cohort / "blurred"], ["--source", cohort / "none", "--reference", cohort / "real"], "does not exist"),
    ]
    for candidates, more, part in cases:
        assert part in refused("compare", *candidates, *more)
    kept = [path.name for path in tmp_path.iterdir()]
    ended = sst("compare", alone, *options, "--output", page)
    assert ended.code == 2 and "is not on the grid of p1_T1.nii.gz" in ended.err.strip().splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == kept
