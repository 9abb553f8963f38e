"""Volumes and pictures in the style of a picture, through the volume pipeline."""

import numpy as np
import pytest
from style_pictures import QUICK, brain, waves
from tiny_models import head

from surgical_style_engine.errors import Cancelled, InputError
from surgical_style_engine.inference.stylize import stylize_volume
from surgical_style_engine.models.style_settings import StyleSettings, parse_settings
from surgical_style_engine.stylize.runner import StyleImageRunner
from surgical_style_engine.volumes.volume import Volume


def test_colour_volume_keeps_geometry_and_air():
    volume = brain()
    done = stylize_volume(volume, waves(), StyleSettings(**QUICK), style_name="waves")
    made = done.translation.volume
    assert made.array.shape == (3, *volume.array.shape[1:]) and made.same_grid(volume, tolerance=0)
    assert (made.origin, made.spacing) == (volume.origin, volume.spacing)
    assert 0 <= made.array.min() and made.array.max() <= 255
    air = volume.array[0] == 0
    corner = (slice(None), 0, 0, 0)
    assert air[corner[1:]] and (made.array[corner] == 0).all()
    spread = np.abs(made.array[0] - made.array[2])[~air]
    assert spread.mean() > 5, "blue and yellow came through"
    assert done.figures["features"] == "random" and any("random filters" in text for text in done.translation.warnings)
    assert done.figures["losses"]["style"] > 0 and len(done.figures["loss_curve"]) >= 10
    assert done.figures["seconds_per_slice"] > 0 and done.translation.slices == 2, "two slices are air"


def test_luminance_is_in_the_inputs_units_and_strength_and_mask_work():
    volume = brain()
    settings = StyleSettings(colour="luminance", **QUICK)
    whole = stylize_volume(volume, waves(), settings).translation
    assert whole.volume.array.shape == volume.array.shape
    assert whole.volume.array.min() >= 0 and 400 < whole.volume.array.max() <= volume.array.max() + 1
    none = stylize_volume(volume, waves(), settings, strength=0).translation
    np.testing.assert_array_equal(none.volume.array, volume.array)
    mask = np.zeros((1, *volume.array.shape[1:]), np.uint8)
    mask[:, 1:3, 10:30, 10:30] = 1
    inside = stylize_volume(volume, waves(), settings, mask=volume.with_array(mask)).translation
    outside = mask == 0
    np.testing.assert_array_equal(inside.volume.array[outside], volume.array[outside])
    assert np.abs(inside.volume.array - volume.array)[mask == 1].mean() > 10


def test_colour_with_a_mask_leaves_grey_outside():
    volume = brain()
    mask = np.zeros((1, *volume.array.shape[1:]), np.uint8)
    mask[:, :, :20] = 1
    made = stylize_volume(volume, waves(), StyleSettings(**QUICK), mask=volume.with_array(mask)).translation.volume
    grey = made.array[:, :, 20:]
    np.testing.assert_array_equal(grey[0], grey[2])
    assert not np.array_equal(made.array[0, :, :20], made.array[2, :, :20])


def test_picture_and_reduced_size():
    picture = Volume(np.uint8(head(shape=(8, 70, 90))[4:5] / 4)[None], is_2d=True)
    sizes = []
    done = stylize_volume(
        picture, waves(), StyleSettings(size=40, **QUICK), progress=lambda done, total: sizes.append((done, total))
    )
    assert done.translation.volume.array.shape == (3, 1, 70, 90) and done.translation.volume.is_2d
    assert done.figures["flicker"] is None
    shares = [a / b for a, b in sizes]
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 10, "progress within the single slice"


@pytest.mark.parametrize(("colour", "channels"), [("rgb", 3), ("luminance", 1)])
def test_colour_photographs_are_contents_too(colour, channels):
    photo = Volume(np.uint8(255 * waves(50, 44)[[2, 0, 1]])[:, None], is_2d=True)
    done = stylize_volume(photo, waves(), StyleSettings(colour=colour, **QUICK)).translation
    assert done.volume.array.shape == (channels, 1, 50, 44)
    assert 0 <= done.volume.array.min() and 100 < done.volume.array.max() <= 255


def test_cancelled_between_two_steps():
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > 8

    with pytest.raises(Cancelled):
        stylize_volume(brain(), waves(), StyleSettings(features="random", steps=1000), cancelled=cancelled)
    assert len(calls) == 9


def test_compare_independent():
    found = stylize_volume(brain(), waves(), StyleSettings(**QUICK), compare_independent=True).figures
    assert found["flicker_independent"] > 0 and found["flicker_independent"] != found["flicker"]


def test_settings_are_checked():
    with pytest.raises(InputError, match="setting colour"):
        parse_settings({"colour": "cmyk"})
    with pytest.raises(InputError, match="setting steps"):
        parse_settings({"steps": 0})
    with pytest.raises(InputError, match="no layer 'conv1_1'"):
        StyleImageRunner(waves(), parse_settings({"features": "random", "layers": {"conv1_1": 1.0}}))
    with pytest.raises(InputError, match="above zero"):
        StyleImageRunner(waves(), parse_settings({"features": "random", "layers": {"fine1": 0.0}}))
    with pytest.raises(InputError, match="fp32"):
        StyleImageRunner(waves(), StyleSettings(features="random"), precision="bf16")
    with pytest.raises(InputError, match="OpenVINO"):
        StyleImageRunner(waves(), StyleSettings(features="random"), backend="openvino")
    with pytest.raises(InputError, match="NaN"):
        stylize_volume(Volume(np.full((1, 2, 9, 9), np.nan, np.float32)), waves(), StyleSettings(**QUICK))
    with pytest.raises(InputError, match="ascend"):
        stylize_volume(brain(), waves(), StyleSettings(**QUICK), window=(5, 1))
