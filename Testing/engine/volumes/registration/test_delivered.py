"""What a registration is worth in the figures of ``sst register``, and how a deformation is handed on."""

import numpy as np
import pytest
import registration_phantom as phantom
import SimpleITK as sitk

from surgical_style_engine.errors import InputError
from surgical_style_engine.volumes.registration import register_rigid, write_transform
from surgical_style_engine.volumes.registration.alike.deform import composed
from surgical_style_engine.volumes.registration.alike.register import Found
from surgical_style_engine.volumes.registration.delivered import delivered
from surgical_style_engine.volumes.registration.displacement import displacement_along_axes


@pytest.fixture(scope="module")
def pair():
    """T1w, T2w elsewhere, where the T1w's points lie in the T2w, and inside."""
    first, second, inside = phantom.contrasts()
    back = phantom.rigid(degrees=6)
    return first, phantom.moved(second, back), sitk.VersorRigid3DTransform(back.GetInverse()), inside


def bump(mm=4.0):
    """A displacement along x that is largest in the middle of the phantom."""
    z, y, x = np.meshgrid(*(np.arange(12) * 10.0,) * 3, indexing="ij")
    height = mm * np.exp(-((z - 54) ** 2 + (y - 53) ** 2 + (x - 52) ** 2) / (2 * 25.0**2))
    field = sitk.GetImageFromArray(np.stack([height, 0 * height, 0 * height], -1), isVector=True)
    field.SetSpacing((10.0, 10.0, 10.0))
    return field


def test_the_figures_are_those_of_a_registration_by_mutual_information(pair):
    first, there, right, _ = pair
    found = Found(right, right, "rigid", None, 0.9, "moments", 12)
    result, usual = delivered(first, there, found), register_rigid(first, there)
    assert result.found_common and result.metric > 0.95 * usual.metric and result.metric > result.metric_before
    assert result.metric_before == usual.metric_before and result.moved.same_grid(first)
    assert result.rotation_deg == pytest.approx(6, abs=0.01) and result.kind == "rigid"
    assert result.figures()["method"] == "rigid, weighted difference to a translation"
    far = sitk.TranslationTransform(3, (500.0, 0, 0))
    away = sitk.VersorRigid3DTransform()
    away.SetTranslation((500.0, 0.0, 0.0))
    with pytest.raises(InputError, match="overlap"):
        delivered(first, there, Found(far, away, "rigid", None, 0.0, "", 0))


def test_a_displacement_counts_in_the_metric_and_is_handed_on(pair, tmp_path):
    first, there, right, _ = pair
    bent = composed(right, bump())
    result = delivered(first, there, Found(bent, right, "deformable", bump(), 0.9, "moments", 12))
    straight = delivered(first, there, Found(right, right, "rigid", None, 0.9, "moments", 12))
    assert result.kind == "deformable" and result.metric < 0.98 * straight.metric
    array, spacing, origin = displacement_along_axes(bump(), first)
    index = np.round((np.array((52.0, 53.0, 54.0)) - origin) / spacing).astype(int)
    assert array[tuple(index[::-1])][0] == pytest.approx(4.0, abs=0.3) and not array[..., 1:].any()
    for name in ("bent.h5", "bent.tfm"):
        write_transform(bent, tmp_path / name)
        again = sitk.ReadTransform(str(tmp_path / name)).TransformPoint((52.0, 53.0, 54.0))
        np.testing.assert_allclose(again, bent.TransformPoint((52.0, 53.0, 54.0)), atol=1e-9)
