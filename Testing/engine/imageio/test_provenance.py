"""What a translation's header says, in every format that has room for it."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.imageio.provenance import summary
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.models.provenance import synthetic_notes
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture
def notes():
    domain = {"forward": SimpleNamespace(name="T1w"), "backward": SimpleNamespace(name="T2w")}
    card = SimpleNamespace(
        name="brain",
        weights=SimpleNamespace(sha256="ab" * 32),
        intended_use="Research.\nNot for diagnosis.",
        domain_from=lambda way: domain[way],
        domain_to=lambda way: domain["backward" if way == "forward" else "forward"],
    )
    return synthetic_notes(card, "forward", 0.5)


def read(path):
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}


def test_the_fields(notes):
    assert notes["Synthetic"] == "yes" and notes["SyntheticFrom"] == "T1w" and notes["SyntheticTo"] == "T2w"
    assert notes["SyntheticStrength"] == "0.5" and notes["StyleModelSHA256"] == "ab" * 32
    assert "\n" not in notes["IntendedUse"]


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".mhd"])
def test_headers_with_room_keep_every_field(notes, tmp_path, ending):
    volume = Volume(np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5))
    write_volume(volume, tmp_path / f"v{ending}", notes)
    assert notes.items() <= read(tmp_path / f"v{ending}").items()


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_keeps_the_summary(notes, tmp_path, ending):
    write_volume(Volume(np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5)), tmp_path / f"v{ending}", notes)
    assert read(tmp_path / f"v{ending}")["ITK_FileNotes"] == "SYNTHETIC T2w from T1w by brain abababababab"


def test_a_long_name_does_not_push_the_digest_out(notes):
    text = summary({**notes, "StyleModel": "x" * 64, "SyntheticTo": "y" * 40})
    assert len(text) <= 79 and text.endswith("abababababab") and text.startswith("SYNTHETIC")


def test_pictures_are_written_without(notes, tmp_path):
    picture = Volume(np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8), is_2d=True)
    write_volume(picture, tmp_path / "p.png", notes)
    assert (tmp_path / "p.png").stat().st_size > 0
