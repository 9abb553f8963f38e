"""One verdict of voxels, header and name."""

from dataclasses import replace

import numpy as np
import pytest
from recognise_volumes import ct, head

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.volumes.recognise import verdict as module
from surgical_style_engine.volumes.recognise.verdict import recognise
from surgical_style_engine.volumes.recognise.voxels import Look
from surgical_style_engine.volumes.volume import Volume

T2_TIMES = {"Modality": "MR", "EchoTime": "98", "RepetitionTime": "5200"}


@pytest.fixture
def seen(monkeypatch):
    """``seen(kind, **fields)``: what the voxels of all volumes say from now on."""

    def set_look(kind, **fields):
        monkeypatch.setattr(module, "look_at", lambda volume: Look(kind, reason="" if kind else "doubt", **fields))

    return set_look


def image(name="", **tags):
    return Volume(np.zeros((1, 2, 3, 4)), metadata=tags, name=name)


def test_all_agree(seen):
    seen("T2w", extracted=False)
    verdict = recognise(image("p1_T2.nrrd", **T2_TIMES))
    assert (verdict.kind, verdict.modality, verdict.certain, verdict.disagreement) == ("T2w", "MR", True, "")
    assert verdict.sentence() == (
        "T2w, whole head, by the header (EchoTime 98 ms, RepetitionTime 5200 ms), its voxels and the name 'p1_T2.nrrd'."
    )


def test_the_header_is_believed_before_voxels_and_that_is_said(seen):
    seen("FLAIR")
    verdict = recognise(image(**T2_TIMES))
    assert verdict.kind == "T2w" and verdict.sources == ("the header (EchoTime 98 ms, RepetitionTime 5200 ms)",)
    assert verdict.disagreement == f"It is T2w by {verdict.sources[0]}, but FLAIR by its voxels."


def test_voxels_are_believed_before_a_name(seen):
    seen("T1w", with_agent=False)
    verdict = recognise(image("p1_T2.nrrd"))
    assert (
        verdict.kind == "T1w" and verdict.disagreement == "It is T1w by its voxels, but T2w by the name 'p1_T2.nrrd'."
    )


def test_a_name_is_better_than_nothing(seen):
    seen("")
    verdict = recognise(image("p1_FLAIR.nrrd"))
    assert verdict.kind == "FLAIR" and not verdict.certain and verdict.sources == ("the name 'p1_FLAIR.nrrd'",)


def test_nobody_knows(seen):
    seen("")
    verdict = recognise(image("p1.nrrd"))
    assert not verdict.is_known and verdict.modality == "" and verdict.sentence() == "not sure: doubt."
    verdict = recognise(image("p1.nrrd", Modality="MR"))
    assert not verdict.is_known and verdict.sentence() == "MR of unknown contrast (doubt), by the header (Modality MR)."


def test_the_contrast_agent(seen):
    seen("T1w", with_agent=None)
    verdict = recognise(image("p1.nrrd"))
    assert not verdict.agent_known and verdict.sentence().startswith(
        "T1w, with or without contrast agent, by its voxels"
    )
    verdict = recognise(image("p1_T1C.nrrd"))
    assert (verdict.kind, verdict.agent_known, verdict.disagreement) == ("T1w-Gd", True, "")
    seen("T1w-Gd", with_agent=True)
    assert recognise(image("p1_T1.nrrd")).kind == "T1w-Gd"


def test_the_header_states_another_modality_than_the_voxels_show(seen):
    seen("CT", certain=True)
    verdict = recognise(image(Modality="MR"))
    assert verdict.modality == "MR" and not verdict.is_known
    assert verdict.disagreement == "It is MR by its header, but looks like CT."
    seen("T1w")
    verdict = recognise(image(Modality="CT"))
    assert verdict.kind == "CT" and "but T1w by its voxels" in verdict.disagreement


def test_synthetic_images(seen):
    seen("T2w")
    assert recognise(image(Synthetic="yes")).synthetic == "its header"
    assert recognise(image("p1_synthetic.nrrd")).synthetic == "its name"
    assert "synthetic by its header" in recognise(image(Synthetic="yes")).sentence()


def test_an_answer_is_found_once_for_a_volume(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "look_at", lambda volume: calls.append(volume) or Look("T2w"))
    volume = image()
    assert recognise(volume) is recognise(volume) and len(calls) == 1
    recognise(replace(volume, name="other"))
    assert len(calls) == 2


def test_a_report_has_the_same_keys_whatever_is_known():
    known, unknown = recognise(ct()).entry(), recognise(Volume(np.zeros((1, 1, 1, 1)))).entry()
    assert list(known) == list(unknown)
    assert known["kind"] == known["modality"] == "CT" and unknown["kind"] is None
    assert recognise(head()).entry()["synthetic"] is None


def test_a_real_series_by_its_header(shared_data):
    verdict = recognise(read_volume(shared_data / "dicom" / "vs-seg-001"))
    assert verdict.modality == "MR" and verdict.certain and verdict.kind in ("T1w", "T1w-Gd"), verdict.sentence()
