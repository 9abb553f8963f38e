"""Both places that a NIfTI header may state, against another reader."""

import struct

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.imageio.nifti_header import read_nifti_header

nibabel = pytest.importorskip("nibabel")
LPS = np.diag([-1.0, -1.0, 1.0])


def turned(x, y, z, spacing, origin, mirrored=False) -> np.ndarray:
    turn = np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1, 1, -1 if mirrored else 1]) @ np.diag(spacing)
    affine[:3, 3] = origin
    return affine


def write(path, sform, scode, qform, qcode, order="<", shape=(3, 4, 5)):
    image = nibabel.Nifti1Image(np.zeros(shape, np.int16), None, nibabel.Nifti1Header(endianness=order))
    image.set_qform(qform, qcode)
    image.set_sform(sform, scode)
    nibabel.save(image, path)
    return image


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("turn", [(0.3, -0.2, 0.5), (0, 0, np.pi), (np.pi, 0, 0), (3.1, 1e-3, -3.1), (0, 0, 0)])
def test_both_forms_are_those_of_another_reader(tmp_path, ending, order, mirrored, turn):
    qform = turned(*turn, (0.7, 0.9, 3.0), (-12, 8, 99), mirrored)
    sform = turned(*turn, (0.7, 0.9, 3.1), (-40, 8, 99))
    image = write(tmp_path / f"v{ending}", sform, 2, qform, 1, order)
    header = read_nifti_header(tmp_path / f"v{ending}")
    assert header.dimension == 3 and header.size == (3, 4, 5) and list(header.forms) == ["sform", "qform"]
    assert np.allclose(header.sform, LPS @ image.get_sform()[:3], atol=1e-5)
    assert np.allclose(header.qform, LPS @ image.get_qform()[:3], atol=1e-5)


def test_what_is_not_set_is_none(tmp_path):
    for scode, qcode in ((0, 0), (1, 0), (0, 1)):
        write(tmp_path / "v.nii", np.eye(4), scode, np.eye(4), qcode)
        header = read_nifti_header(tmp_path / "v.nii")
        assert (header.sform is not None, header.qform is not None) == (scode > 0, qcode > 0)


def test_units_are_turned_into_millimetres(tmp_path):
    affine = turned(0.1, 0, 0, (1, 2, 3), (4, 5, 6))
    for units, mm in (("meter", 1000), ("mm", 1), ("micron", 1e-3), ("unknown", 1)):
        image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), affine)
        image.header.set_xyzt_units(units)
        image.set_qform(affine, 1)
        nibabel.save(image, tmp_path / "v.nii")
        header = read_nifti_header(tmp_path / "v.nii")
        for form in (header.sform, header.qform):
            assert np.allclose(form, LPS @ affine[:3] * mm, rtol=1e-5, atol=1e-4 * mm)


def test_other_formats_are_left_to_their_readers(tmp_path):
    nibabel.save(nibabel.Nifti2Image(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "two.nii")
    (tmp_path / "short.nii").write_bytes(struct.pack("<i", 348) + bytes(100))
    (tmp_path / "text.nii").write_text("no image " * 100)
    for path in tmp_path.iterdir():
        assert read_nifti_header(path) is None
