"""What metrics are of, and what has changed since."""

import pytest


@pytest.fixture
def judged(slicer_app, module):
    from SurgicalStyleTransferLib.jobs.adjustments import Adjustments
    from SurgicalStyleTransferLib.jobs.judged import Judged
    from SurgicalStyleTransferLib.mrml.regions import RegionState

    def make(**changes):
        values = {
            "output_id": "v1",
            "name": "Head T2w",
            "description": "",
            "run": "output-1",
            "strength": 0.5,
            "adjustments": Adjustments(),
            "region": RegionState(),
            "reference": "",
            "reference_state": (),
            "used_strength": 0.5,
        }
        return Judged(**{**values, **changes})

    return make


def test_nothing_has_changed(judged):
    assert judged().changes_until(judged()) == []
    # Sliders are no exact instruments; names and what a chosen strength came to are no choices.
    assert judged().changes_until(judged(strength=0.5 + 1e-9, name="Renamed", used_strength=0.4)) == []
    assert judged(strength=None).changes_until(judged(strength=None)) == []


def test_each_change_is_named(judged, slicer_app):
    from SurgicalStyleTransferLib.jobs.adjustments import Adjustments
    from SurgicalStyleTransferLib.mrml.regions import RegionState

    for changes, sentence in (
        ({"output_id": "v2"}, "the result"),
        ({"run": "output-2"}, "the result"),
        ({"strength": 0.6}, "the strength"),
        ({"strength": None}, "the strength"),
        ({"adjustments": Adjustments(structure_guard_mm=2)}, "the adjustments"),
        ({"adjustments": Adjustments(flatten_bias=True)}, "the adjustments"),
        ({"region": RegionState("Tumour", ("s1", 5))}, "the region"),
        ({"reference_state": ("v3", 7)}, "the reference"),
    ):
        assert judged().changes_until(judged(**changes)) == [sentence], changes
    # By what nothing is matched does not matter.
    assert judged().changes_until(judged(adjustments=Adjustments(match_by="moments"))) == []
    assert judged().changes_until(judged(strength=1.0, run="output-2")) == ["the result", "the strength"]


def test_what_people_read(judged, slicer_app, scene, volume):
    from SurgicalStyleTransferLib.jobs.adjustments import Adjustments
    from SurgicalStyleTransferLib.mrml.regions import RegionState

    assert judged().about() == {
        "Strength": "0.50",
        "Region": "whole volume",
        "Adjustments": "none",
        "Reference": "none",
    }
    adjustments = Adjustments(3.0, volume("Other").GetID(), "histogram", 0.7, True, True)
    about = judged(
        strength=None,
        used_strength=0.43,
        adjustments=adjustments,
        region=RegionState("Seg, Tumour", ("s", 1)),
        reference="T2",
    ).about()
    assert about == {
        "Strength": "0.43 (chosen automatically)",
        "Region": "Seg, Tumour",
        "Adjustments": "structure guard 3 mm, matched to Other, bias field removed, ensemble",
        "Reference": "T2",
    }
