"""Which patients all candidates have."""

import numpy as np
import pytest
from model_folders import refusal

from surgical_style_engine.app.court import Candidate
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume
from training_cli.court.files import Folders, find_patients

IMAGE = Volume(np.arange(64, dtype=np.float32).reshape(1, 4, 4, 4))


def fill(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        write_volume(IMAGE, folder / f"{name}.mha")
    return folder


@pytest.fixture
def folders(tmp_path):
    return Folders(
        fill(tmp_path / "source", "p1_T1", "p2_T1", "p3_T1"), fill(tmp_path / "real", "p1_T2", "p2_T2", "p3_T2")
    )


def candidate(folder):
    return Candidate(folder.name, "volumes", folder)


def test_by_the_source_s_name_by_role_and_as_sst_names_a_cohort(folders, tmp_path):
    candidates = [
        candidate(fill(tmp_path / "same", "p1_T1", "p2_T1", "p3_T1")),
        candidate(fill(tmp_path / "role", "p1_T2", "p2_T2", "p3_T2")),
        candidate(fill(tmp_path / "sst", "p1_T1_synthetic", "p2_T1_synthetic", "p3_T1_synthetic")),
    ]
    found = find_patients(folders, candidates)
    assert [patient.person for patient in found.patients] == ["p1", "p2", "p3"] and found.warnings == []
    names = [{name: path.name for name, path in patient.volumes.items()} for patient in found.patients]
    assert names[1] == {"same": "p2_T1.mha", "role": "p2_T2.mha", "sst": "p2_T1_synthetic.mha"}
    assert "p1_T2.mha was taken to belong to p1_T1.mha" in " ".join(found.told)


def test_who_is_missing_somewhere_is_left_out_by_name(folders, tmp_path):
    found = find_patients(folders, [candidate(fill(tmp_path / "some", "p2_T1"))])
    assert [patient.name for patient in found.patients] == ["p2_T1"]
    assert found.warnings[0] == "p1_T1.mha: no volume of some has a matching name; it is left out."


def test_error_maps_beside_the_volumes_or_in_a_folder(folders, tmp_path):
    own = fill(tmp_path / "own", "p1_T1", "p2_T1", "p3_T1", "p1_T1_error_bound")
    other = fill(tmp_path / "other", "p1_T1", "p2_T1", "p3_T1")
    (tmp_path / "maps").mkdir()
    fill(tmp_path / "maps" / "other", "p2_T1_error_map")
    maps = Folders(folders.source, folders.reference, error_maps=tmp_path / "maps")
    first, second, third = find_patients(maps, [candidate(own), candidate(other)]).patients
    assert set(first.error_maps) == {"own"} and set(second.error_maps) == {"other"} and not third.error_maps


def test_what_is_refused(folders, tmp_path):
    strangers = candidate(fill(tmp_path / "strangers", "q7_T1"))
    assert "No patient is common" in refusal(find_patients, folders, [strangers])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no volumes" in refusal(find_patients, folders, [candidate(empty)])
    lesions = Folders(folders.source, folders.reference, lesions=fill(tmp_path / "lesions", "q7_lesions"))
    assert "No labelmap of lesions" in refusal(find_patients, lesions, [])
