"""A kept translation as a DICOM series: on the files' own grid, and only if it lies there."""

import numpy as np
import pytest
from dicom_files import axes_of, pydicom, write_slice
from tiny_models import head

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A series of a head among another series' files."""
    folder = tmp_path_factory.mktemp("database")
    array = np.round(head()).astype(np.uint16)
    for number, pixels in enumerate(array):
        place = (-30.0, 12.5, 4.0 * number)
        write_slice(folder / f"a{number}.dcm", pixels, place, axes_of(np.eye(3)), "1.2.3", number + 1)
        write_slice(folder / f"b{number}.dcm", pixels, place, axes_of(np.eye(3)), "1.2.4", number + 1)
    return sorted(folder.glob("a*.dcm"))


@pytest.fixture(scope="module")
def volume(series, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    for file in series:
        (folder / file.name).write_bytes(file.read_bytes())
    return read_volume(folder)


@pytest.fixture
def keep(tiny):
    """A translation as the worker keeps it."""
    from surgical_style_engine.adjust.options import Adjustments
    from surgical_style_engine.common.run_options import RunOptions
    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.worker.kept import Kept

    def make(volume, strength=1.0):
        model = load_model(tiny)
        options = RunOptions(device="cpu", backend="torch", keep_normalized=True)
        made = translate_volume(volume, model, strength=strength, options=options)
        kept = Kept(volume, model, "forward", None, options, made)
        kept.take(made, Adjustments())
        return kept, made

    return make


def test_the_files_hold_the_image_that_was_delivered(series, volume, keep, tmp_path):
    from surgical_style_engine.worker.dicom_export import export_dicom

    kept, made = keep(volume, 0.5)
    assert export_dicom(kept, series, tmp_path / "out") == 12
    files = sorted((tmp_path / "out").iterdir())
    headers = [pydicom.dcmread(file) for file in files]
    assert {str(header.SyntheticData if "SyntheticData" in header else header[0x0008001C].value) for header in headers}
    assert {header.Modality for header in headers} == {"MR"} and headers[0].PatientID == "ID-4711"
    assert "strength 0.5" in headers[0].DerivationDescription
    written = read_volume(tmp_path / "out")
    np.testing.assert_allclose(written.array, made.volume.array, atol=0.51)
    assert written.origin == volume.origin and written.spacing == volume.spacing


def test_slices_the_other_way_round_are_put_right(series, volume, keep, tmp_path):
    """Slicer may have loaded the same files from top to bottom."""
    from dataclasses import replace

    from surgical_style_engine.worker.dicom_export import export_dicom

    origin = tuple(np.add(volume.origin, volume.direction[:, 2] * volume.spacing[2] * 11).tolist())
    turned = replace(
        volume,
        array=np.ascontiguousarray(volume.array[:, ::-1]),
        origin=origin,
        direction=volume.direction * (1, 1, -1),
    )
    kept, made = keep(turned)
    export_dicom(kept, series, tmp_path / "out")
    np.testing.assert_allclose(read_volume(tmp_path / "out").array, made.volume.array[:, ::-1], atol=0.51)


def test_what_does_not_lie_where_its_files_say_is_refused(series, volume, keep, tmp_path):
    from dataclasses import replace

    from surgical_style_engine.worker.dicom_export import export_dicom

    kept, _made = keep(replace(volume, origin=(1.0, 2.0, 3.0)))
    with pytest.raises(InputError, match="no longer lies where its DICOM files say"):
        export_dicom(kept, series, tmp_path / "out")
    kept, _made = keep(volume)
    with pytest.raises(InputError, match=r"DICOM file gone.dcm of the input is no longer there"):
        export_dicom(kept, [*series, series[0].with_name("gone.dcm")], tmp_path / "out")
    assert not (tmp_path / "out").exists()
