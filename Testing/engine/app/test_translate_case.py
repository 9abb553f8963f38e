"""The use case "translate": what is asked for, in whatever form, comes back and is written."""

from dataclasses import replace

import numpy as np
import pytest
from agreement import needs_openvino
from tiny_models import make_tiny_bilateral, make_tiny_model

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.app.align_reference import Reference
from surgical_style_engine.app.judge_set import TargetSet
from surgical_style_engine.app.judging import Judging
from surgical_style_engine.app.translate_case import TranslateCase, Writing, adjust_case, translate_case
from surgical_style_engine.common.run_options import RunOptions
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model

CPU = RunOptions(device="cpu", precision="fp32", backend="torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_tiny_model(tmp_path_factory.mktemp("models")))


@pytest.fixture
def case(model, head_volume):
    return TranslateCase(head_volume(), model, options=CPU)


def test_it_is_what_the_pipeline_gives(case):
    translated = translate_case(case)
    expected = translate_volume(case.volume, case.model, options=CPU)
    np.testing.assert_array_equal(translated.translation.volume.array, expected.volume.array)
    assert translated.quality == {} and translated.cycle is None and translated.maps == {}
    assert translated.notes["Synthetic"] == "yes" and translated.units == "arbitrary"
    assert translated.warnings == expected.warnings and translated.seconds > 0


def test_files_and_volumes_are_asked_for_alike(case, tmp_path):
    write_volume(case.volume, tmp_path / "t1.nrrd")
    mask = case.volume.with_array((case.volume.array > 300).astype(np.uint8))
    write_volume(mask, tmp_path / "mask.nrrd")
    given = translate_case(replace(case, mask=mask, strength=0.5))
    told = []
    read = translate_case(
        replace(
            case,
            volume=tmp_path / "t1.nrrd",
            mask=tmp_path / "mask.nrrd",
            strength=0.5,
            writing=Writing(output=tmp_path / "new folder" / "o.nrrd"),
            stage=told.append,
        )
    )
    np.testing.assert_array_equal(read.translation.volume.array, given.translation.volume.array)
    written = read_volume(tmp_path / "new folder" / "o.nrrd")
    np.testing.assert_array_equal(written.array, given.translation.volume.array)
    assert told == ["reading t1.nrrd", "translating t1.nrrd"]


def test_judged_with_a_reference_and_maps(case, tmp_path):
    array = (900 - case.volume.array) * (case.volume.array > 0)
    write_volume(case.volume.with_array(array), tmp_path / "t2.nrrd")
    told = []
    asked = replace(
        case,
        reference=Reference(tmp_path / "t2.nrrd"),
        judging=Judging(max_slices_on_cpu=3, jigsaw=False),
        writing=Writing(maps=tmp_path / "maps", name="p1"),
        options=replace(CPU, keep_normalized=False),
        stage=told.append,
        title="the head",
    )
    translated = translate_case(asked)
    assert translated.quality["cycle_slices"] == 3 and translated.quality["jigsaw_puzzle_error"] is None
    assert translated.quality["reference"]["psnr"] > 0 and translated.registration == {"method": "same grid"}
    # No file has the translation itself, so that the page needs one.
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "p1_cycle_error.nii.gz",
        "p1_reference.nii.gz",
        "p1_synthetic.nii.gz",
    ]
    assert told == ["reading the head", "registering the reference", "translating the head", "judging the head"]


def test_a_reference_with_nothing_in_common_is_left_out(case, tmp_path):
    noise = np.random.default_rng(0).random((1, 12, 40, 40), np.float32)
    write_volume(replace(case.volume.with_array(noise), spacing=(1.0, 1.0, 3.0)), tmp_path / "noise.nrrd")
    asked = replace(case, reference=Reference(tmp_path / "noise.nrrd"), judging=Judging(cycle=False))
    translated = translate_case(asked)
    assert translated.reference is None and translated.registration["found_common"] is False
    assert translated.quality["reference"] is None
    assert any("it was left out" in sentence for sentence in translated.warnings)


def test_a_set_takes_in_what_is_delivered(case, tmp_path):
    """With strength 0 the set of translations is the set of inputs."""
    for number in (1, 2):
        write_volume(case.volume.with_array(case.volume.array[:, ::-1] * number), tmp_path / f"{number}.nrrd")
    distances = []
    for strength in (0.0, 1.0):
        targets = TargetSet(case.model, sorted(tmp_path.glob("*.nrrd")), "forward")
        translate_case(replace(case, strength=strength, judging=Judging(cycle=False), target_set=targets))
        distances.append(targets.distances())
    assert distances[0]["value"] == distances[0]["floors"]["input"] == distances[1]["floors"]["input"]
    assert distances[1]["value"] != distances[1]["floors"]["input"]


def test_adjusting_gives_what_translating_would(case):
    translated = translate_case(case)
    adjustments = Adjustments(structure_guard_mm=6.0)
    asked = replace(case, strength=0.4, adjustments=adjustments)
    adjusted, notes = adjust_case(asked, translated.translation)
    again = translate_case(asked)
    np.testing.assert_array_equal(adjusted.volume.array, again.translation.volume.array)
    assert notes == again.notes and notes["SyntheticAdjustments"] == "structure guard 6 mm"


def test_what_cannot_be_written_is_told_before_the_network_runs(case, tmp_path, monkeypatch):
    from surgical_style_engine.app import translate_case as module

    monkeypatch.setattr(module, "translate_volume", lambda *_, **__: pytest.fail("computed in vain"))
    with pytest.raises(InputError, match="format"):
        translate_case(replace(case, writing=Writing(output=tmp_path / "o.docx")))
    with pytest.raises(InputError, match="format|no volume|exist"):
        translate_case(replace(case, volume=tmp_path / "absent.nrrd"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("backend", ["torch", pytest.param("openvino", marks=needs_openvino)])
def test_tone_curves_of_stacks_there_and_back(tmp_path, head_volume, direction, backend):
    """Translated, judged by the way back, and written; and every backend gives the same."""
    model = load_model(make_tiny_bilateral(tmp_path))
    case = TranslateCase(
        head_volume(),
        model,
        direction=direction,
        judging=Judging(),
        options=replace(CPU, backend=backend),
        writing=Writing(output=tmp_path / "out.nrrd"),
    )
    translated = translate_case(case)
    assert translated.translation.backend == backend and translated.cycle is not None
    written = read_volume(tmp_path / "out.nrrd")
    assert written.same_grid(case.volume) and written.array.std() > 50
    wanted = translate_volume(case.volume, model, direction=direction, options=CPU)
    np.testing.assert_allclose(written.array, wanted.volume.array, atol=0.2)  # of 900
