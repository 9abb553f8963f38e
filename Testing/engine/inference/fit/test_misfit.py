"""What is refused, what is warned about, and what a style of unknown contrast takes."""

import pytest
from fakes import CT, MR, T2, make_model, of
from recognise_volumes import verdict

from surgical_style_engine.inference.fit.misfit import fits, misfit
from surgical_style_engine.volumes.recognise.voxels import LIKE_HU, Look

GD = MR.model_copy(update={"name": "T1w-Gd"})


def unfit(shown, domain):
    return misfit(shown, make_model(domain, T2).card, domain, "scan.nrrd")


def test_another_modality_is_refused_where_it_is_certain():
    sentence = "scan.nrrd is CT by its voxels, but the model fake takes MR (T1w)."
    assert unfit(verdict("CT", certain=True), MR).refusal == sentence
    guessed = unfit(verdict("CT"), MR)
    assert guessed.refusal == "" and guessed.warnings == ["The image looks like CT; the model expects MR (T1w)."]
    header = ("the header (Modality CR)",)
    assert "is CR by its header" in unfit(verdict("radiograph", header, certain=True, modality="CR"), MR).refusal
    assert unfit(verdict("radiograph", certain=True), of("CR")) == unfit(verdict(""), MR)


@pytest.mark.parametrize("kind", ["T2w", "FLAIR", "T1w-Gd", "other"])
def test_another_contrast_is_a_warning(kind):
    result = unfit(verdict(kind), MR)
    assert result.refusal == "" and len(result.warnings) == 1
    named = "MR of another contrast" if kind == "other" else kind
    assert result.warnings[0].startswith(f"The image is {named} by its voxels, but the model fake translates T1w")


def test_what_fits_is_not_spoken_of():
    assert unfit(verdict("T1w"), MR).warnings == [] and unfit(verdict("CT", certain=True), CT).warnings == []


def test_an_agent_that_is_not_sure_fits_both():
    for domain in (MR, GD):
        assert unfit(verdict("T1w", agent_known=False), domain).warnings == []
        assert fits(verdict("T1w", agent_known=False), domain)
    assert unfit(verdict("T1w"), GD).warnings and not fits(verdict("T1w"), GD)


def test_a_style_of_unknown_contrast_takes_every_contrast():
    own = MR.model_copy(update={"name": "scanner B"})
    assert unfit(verdict("FLAIR"), own).warnings == [] and unfit(verdict("CT", certain=True), own).refusal
    assert not fits(verdict("FLAIR"), own)


def test_values_like_a_brain_in_hounsfield_units_are_told_of_where_mr_is_expected():
    doubtful = verdict("", look=Look("", reason=LIKE_HU))
    assert unfit(doubtful, MR).warnings == ["The image may be a CT: its values are like a brain's Hounsfield units."]
    assert unfit(doubtful, CT).warnings == []
    assert unfit(verdict("", look=Look("", reason=LIKE_HU), modality="MR"), MR).warnings == [], "the header says MR"


def test_synthetic_images_and_sources_that_disagree_are_told_whatever_is_expected():
    told = unfit(verdict("T1w", synthetic="its header", disagreement="It is both."), MR).warnings
    assert told[0] == "It is both." and told[1].startswith("The image is synthetic already, as its header says")


def test_a_name_alone_is_known_as_such():
    assert unfit(verdict("T2w", sources=("the name 'p_T2'",)), MR).by_name and not unfit(verdict("T2w"), MR).by_name
