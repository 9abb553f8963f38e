"""Styles that fit an image."""

from recognise_volumes import verdict

from surgical_style_engine.inference.fit.propose import Proposal, proposals
from surgical_style_engine.models.names import shipped_models_folder

SHIPPED = [shipped_models_folder()]


def named(kind, **fields):
    return [(style.model, style.direction, style.target) for style in proposals(verdict(kind, **fields), SHIPPED)]


def test_both_directions_of_the_shipped_styles():
    assert ("brain-mr-t1w-t2w", "forward", "T2w") in named("T1w")
    assert ("brain-mr-t1w-t2w", "backward", "T1w") in named("T2w")
    assert {target for _, _, target in named("FLAIR")} == {"T1w", "T2w"}


def test_a_model_for_many_is_proposed_by_what_it_makes():
    style = Proposal("any-contrast", "FLAIR>T2w", "FLAIR", "T2w")
    assert style.options() == "--model any-contrast --to T2w"


def test_an_agent_that_is_not_sure_gets_the_styles_of_both():
    both, without = named("T1w", agent_known=False), named("T1w")
    assert set(without) < set(both) and any(model.startswith("brain-mr-t1wgd") for model, _, _ in both)


def test_nothing_is_proposed_for_what_no_style_knows():
    assert named("CT") == [] and named("") == []


def test_the_command_line():
    style = next(style for style in proposals(verdict("T2w"), SHIPPED) if style.model == "brain-mr-t1w-t2w")
    assert style.options() == "--model brain-mr-t1w-t2w --direction backward"
