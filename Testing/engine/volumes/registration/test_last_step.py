"""The last step improves what is near, by the volumes themselves, and never what is better as it is."""

import registration_phantom as phantom
import SimpleITK as sitk

from surgical_style_engine.volumes.registration.alike.register import Found
from surgical_style_engine.volumes.registration.last_step import with_last_step
from surgical_style_engine.volumes.registration.transforms import as_affine


def found(transform, kind="rigid"):
    return Found(transform, transform, kind, None, 0.9, "moments", 12)


def test_what_is_a_millimetre_off_comes_nearer():
    first, second, inside = phantom.contrasts()
    back = phantom.rigid(degrees=6)
    there, right = phantom.moved(second, back), back.GetInverse()
    near = sitk.VersorRigid3DTransform(right)
    near.SetTranslation([mm + off for mm, off in zip(near.GetTranslation(), (0.8, -0.7, 0.6), strict=True)])
    before = phantom.errors(near, right, inside).mean()
    after = with_last_step(first, there, found(near))
    assert before > 1.2 and phantom.errors(after.transform, right, inside).mean() < 0.3 * before
    assert after.linear is after.transform and after.steps > 12 and after.kind == "rigid"
    assert after.method == "weighted difference to a translation, then mutual information"
    # Again from there: no worse, whether a step was left to be made or not.
    again = with_last_step(first, there, after)
    assert phantom.errors(again.transform, right, inside).mean() < 0.3 * before
    affine = with_last_step(first, there, found(as_affine(near), "affine"))
    assert isinstance(affine.transform, sitk.AffineTransform)
    assert phantom.errors(affine.transform, right, inside).mean() < 0.5 * before


def test_what_fits_no_better_stays(monkeypatch):
    first, second, _ = phantom.contrasts()
    place = found(sitk.VersorRigid3DTransform())
    monkeypatch.setattr(
        "surgical_style_engine.volumes.registration.last_step.climb",
        lambda fixed, moving, start, *_: (start.SetTranslation((9.0, 0.0, 0.0)) or start, 3),
    )
    assert with_last_step(first, second, place) is place
    wide = sitk.AffineTransform(3)
    wide.Scale(1.3)
    monkeypatch.setattr(
        "surgical_style_engine.volumes.registration.last_step.mutual_information",
        lambda fixed, moving, transform, mask: transform.GetMatrix()[0],
    )
    monkeypatch.setattr("surgical_style_engine.volumes.registration.last_step.climb", lambda *_: (wide, 3))
    stretched = found(sitk.AffineTransform(3), "affine")
    assert with_last_step(first, second, stretched) is stretched
