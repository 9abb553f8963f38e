"""Errors of pair models on a user's registered volumes."""

import numpy as np
import pytest
from tiny_models import head, make_tiny_pairs

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.joined import JoinedPairs
from surgical_style_engine.volumes.volume import Volume
from training_cli.joining.patients import measured_products

BOTH, THERE = ("forward", "backward"), ("forward",)
SPACING = (2.0, 2.0, 4.0)


@pytest.fixture
def pairs(tmp_path):
    ways = (("T1w", "T2w", BOTH), ("FLAIR", "T2w", THERE))
    return JoinedPairs([load_model(path) for path in make_tiny_pairs(tmp_path / "models", ways)])


def write(folder, name, seed, spacing=SPACING):
    folder.mkdir(exist_ok=True)
    write_volume(Volume(head(seed)[None], spacing), folder / name)


@pytest.fixture
def folders(tmp_path):
    names = ("T1w", "T2w", "FLAIR")
    for patient in (1, 2):
        for number, name in enumerate(names):
            write(tmp_path / name, f"p{patient}_{name}.nii.gz", 10 * patient + number)
    write(tmp_path / "T1w", "p3_T1w.nii.gz", 5)  # a patient of one contrast
    return {name: tmp_path / name for name in names}


def test_every_patient_with_two_inputs_and_the_target_counts(pairs, folders):
    lines = []
    products = measured_products(pairs, folders, lines.append, device="cpu")
    assert list(products) == ["T2w"] and len(products["T2w"]) == 2  # T1w is made of T2w alone
    for each in products["T2w"]:
        assert set(each) == {(a, b) for a in ("T1w", "FLAIR") for b in ("T1w", "FLAIR")}
        assert each["T1w", "T1w"] > 0 and np.isfinite(list(each.values())).all()
    assert sum(line.startswith(("1/2", "2/2")) for line in lines) == 2


def test_what_cannot_be_measured_is_refused(pairs, folders, tmp_path):
    def refused(given, sentence):
        with pytest.raises(InputError, match=sentence):
            measured_products(pairs, given, lambda line: None, device="cpu")

    refused({**folders, "CT": tmp_path}, "No model takes or makes CT")
    refused({**folders, "T1w": tmp_path / "none"}, "none of T1w does not exist")
    refused({name: folders[name] for name in ("T1w", "T2w")}, "No patient has two contrasts")
    write(tmp_path / "FLAIR", "p1_FLAIR.nii.gz", 3, spacing=(1.5, 2.0, 4.0))
    refused(folders, "p1_FLAIR.nii.gz are not on one grid")
