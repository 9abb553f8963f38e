"""The use case "stylize": what must be fetched waits for usable inputs, and the delivered image is judged."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.app.stylize_case import StylizeCase, stylize_case
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.models.style_settings import StyleSettings
from surgical_style_engine.volumes.volume import Volume

SETTINGS = StyleSettings(features="random", steps=2, neighbour_steps=1, schedule="single", colour="luminance")


@pytest.fixture
def case(tmp_path):
    rng = np.random.default_rng(0)
    painted = rng.integers(0, 255, (40, 40, 3), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(painted, isVector=True), tmp_path / "waves.png")
    y, x = np.indices((40, 44)) - 20
    content = np.where(x**2 + y**2 < 300, 400 + 9.0 * x + rng.normal(0, 8, x.shape), 0).astype(np.float32)
    volume = Volume(np.stack([content, content])[None], (1.0, 1.0, 4.0))
    return StylizeCase(volume, tmp_path / "waves.png", "waves", SETTINGS, judge=True, options=RunOptions(device="cpu"))


def test_the_image_that_is_delivered_is_judged(case, tmp_path):
    whole = stylize_case(case)
    none = stylize_case(replace(case, strength=0.0, output=tmp_path / "o.nrrd"))
    np.testing.assert_array_equal(read_volume(tmp_path / "o.nrrd").array, case.content.array)
    assert none.quality["semantic_consistency"] == pytest.approx(1) and whole.quality["network"] is None
    assert whole.quality["semantic_consistency"] < 0.99 and whole.quality["features"] == "random"
    assert none.quality["network"]["semantic_consistency"] == pytest.approx(whole.quality["semantic_consistency"])
    assert whole.units == "the input's" and whole.notes["StyleModelSHA256"] == whole.digest
    entry = whole.model_entry(case.picture)
    assert entry["sha256"] == whole.digest and entry["settings"]["steps"] == 2


def test_colours_are_written_as_bytes(case, tmp_path):
    coloured = SETTINGS.model_copy(update={"colour": "rgb"})
    stylized = stylize_case(replace(case, settings=coloured, judge=False, output=tmp_path / "o.nrrd"))
    assert read_volume(tmp_path / "o.nrrd").array.dtype == np.uint8 and stylized.units == "RGB, 0 to 255"


def test_settings_are_completed_when_the_inputs_are_usable(case, tmp_path):
    asked = []

    def complete(settings):
        asked.append(settings)
        return settings.model_copy(update={"steps": 1})

    with pytest.raises(InputError):
        stylize_case(replace(case, content=tmp_path / "absent.nrrd", complete=complete))
    assert asked == []
    assert stylize_case(replace(case, judge=False, complete=complete)).settings.steps == 1 and asked == [SETTINGS]
