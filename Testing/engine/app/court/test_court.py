"""The court ranks graded distortions in their order, pairs by patient, and gives the same again."""

from dataclasses import replace

import numpy as np
import pytest
from lesion_phantom import moved, phantom, smooth, spearman

from surgical_style_engine.app.court import Candidate, CourtCase, Patient, hold_court
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume

PHANTOM = phantom()


def units(image, gain=400.0):
    return ((image + 1) * gain).astype(np.float32)


def save(image, path):
    path.parent.mkdir(exist_ok=True)
    write_volume(Volume(units(image)[None]), path)
    return path


def distorted(kind, level):
    """The real image with a distortion of level 0 (none) to 3."""
    real = PHANTOM.real
    if level == 0:
        return real
    if kind == "blur":
        return smooth(real, (0.7, 1.2, 2.0)[level - 1])
    if kind == "shift":
        return moved(real, (0.5, 1.2, 2.4)[level - 1])
    if kind == "contrast":
        return np.clip(2 * ((real + 1) / 2) ** (0.8, 0.6, 0.4)[level - 1] - 1, -1, 1)
    return real - np.float32((0.2, 0.4, 0.6)[level - 1]) * PHANTOM.labels


@pytest.fixture(scope="module")
def court(tmp_path_factory):
    """One patient, and a candidate for each kind and level."""
    folder = tmp_path_factory.mktemp("court")
    kinds = ("blur", "shift", "contrast", "erased")
    names = [f"{kind}{level}" for kind in kinds for level in range(4)]
    volumes = {name: save(distorted(name[:-1], int(name[-1])), folder / name / "p1.mha") for name in names}
    labels = folder / "lesions.mha"
    write_volume(Volume(PHANTOM.labels[None].astype(np.uint8)), labels)
    patient = Patient(
        "p1",
        "p1",
        save(PHANTOM.source, folder / "source" / "p1.mha"),
        save(PHANTOM.real, folder / "real" / "p1.mha"),
        lesions=labels,
        volumes=volumes,
    )
    candidates = [Candidate(name, "volumes", folder / name) for name in names]
    return CourtCase(candidates, [patient])


@pytest.fixture(scope="module")
def verdicts(court):
    return hold_court(court)


@pytest.mark.parametrize(
    ("kind", "key", "sign"),
    [
        ("blur", "sharpness", -1),
        ("blur", "psnr", -1),
        ("shift", "edge_offset_mm", 1),
        ("shift", "ssim", -1),
        ("contrast", "mae_normalised", 1),
        ("erased", "lesion_contrast", -1),
    ],
)
def test_each_distortion_shows_in_its_figure(verdicts, kind, key, sign):
    values = {entry["name"]: entry["mean"][key] for entry in verdicts.entry["candidates"]}
    assert sign * spearman(range(4), [values[f"{kind}{level}"] for level in range(4)]) >= 0.9


@pytest.mark.parametrize("kind", ["blur", "shift", "contrast", "erased"])
def test_graded_distortions_are_ranked_in_order(verdicts, kind):
    ranks = {entry["name"]: entry["rank"] for entry in verdicts.entry["candidates"]}
    assert spearman(range(4), [ranks[f"{kind}{level}"] for level in range(4)]) >= 0.9


def test_floors_pictures_and_what_one_patient_does_not_allow(verdicts):
    entry = verdicts.entry
    assert set(entry["floors"]) == {"input", "histogram_matched", "one_grey", "real_image"}
    assert entry["floors"]["one_grey"]["sharpness"] < 0.3 and entry["people"] == 1
    assert entry["candidates"][0]["mean"]["psnr"] == 100  # the real image itself
    assert all(pair["low"] is None and pair["patients"] == 1 for pair in entry["differences"])
    assert list(verdicts.pictures)[0] == "Input" and list(verdicts.pictures)[-1] == "Real image"


def test_two_volumes_of_a_person_are_one_patient_and_reruns_are_the_same(court):
    (patient,) = court.patients
    chosen = court.candidates[:2]
    twice = [patient, replace(patient, name="p1_again"), replace(patient, name="p2", person="p2")]
    case = CourtCase(chosen, twice)
    first = hold_court(case).entry
    assert first["people"] == 2
    assert {pair["patients"] for pair in first["differences"]} == {2}
    assert first == hold_court(case).entry


def test_an_error_map_is_held_to_its_word(court, tmp_path):
    (patient,) = court.patients
    candidate = next(each for each in court.candidates if each.name == "blur2")
    bound = tmp_path / "bound.mha"
    write_volume(Volume(np.full((1, *PHANTOM.real.shape), 60.0, np.float32)), bound)
    judged = hold_court(CourtCase([candidate], [replace(patient, error_maps={"blur2": bound})]))
    (entry,) = judged.entry["candidates"]
    assert 0.5 < entry["mean"]["coverage"] < 1 and entry["mean"]["bound"] == pytest.approx(0.15, abs=0.05)


def test_a_volume_on_another_grid_is_refused(court, tmp_path):
    (patient,) = court.patients
    path = tmp_path / "p1.mha"
    write_volume(Volume(units(PHANTOM.real)[None, :, 1:]), path)
    case = CourtCase([Candidate("other", "volumes", tmp_path)], [replace(patient, volumes={"other": path})])
    with pytest.raises(InputError, match="not on the grid of p1.mha"):
        hold_court(case)
    with pytest.raises(InputError, match="nothing to judge"):
        hold_court(CourtCase([], []))
