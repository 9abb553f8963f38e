"""Candidates by path, name and kind; what is none is refused in a sentence."""

import pytest
from model_folders import refusal
from tiny_models import make_tiny_model

from surgical_style_engine.app.court.candidates import Details, resolve


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("models"))


def test_models_folders_and_other_names(tiny, tmp_path):
    (tmp_path / "volumes").mkdir()
    specs = [str(tiny), f"again={tiny}", str(tmp_path / "volumes")]
    candidates = resolve(specs, Details(), tmp_path)
    assert [(each.name, each.kind) for each in candidates] == [
        ("tiny", "model"),
        ("again", "model"),
        ("volumes", "volumes"),
    ]


def test_a_model_turned_round(tiny, tmp_path):
    (candidate,) = resolve([f"{tiny}:backward"], Details(), tmp_path)
    assert (candidate.name, candidate.direction) == ("tiny, backward", "backward")
    (candidate,) = resolve([str(tiny)], Details(direction="backward"), tmp_path)
    assert candidate.direction == "backward"


def test_weights_of_other_code_take_the_contrasts_of_the_models(tiny, tmp_path):
    import torch

    from surgical_style_engine.networks import build_generator

    path = tmp_path / "latest_net_G_A.pth"
    torch.save(build_generator("resnet_reference", ngf=4, n_blocks=6).state_dict(), path)
    place = tmp_path / "imported"
    place.mkdir()
    first, second = resolve([str(tiny), str(path)], Details(), place)
    assert second.kind == "imported" and second.name == "latest_net_G_A"
    assert second.card.domain_to("forward").name == first.card.domain_to("forward").name


@pytest.mark.parametrize(
    ("specs", "details", "part"),
    [
        (["{tiny}", "{tiny}"], Details(), "Two candidates are called tiny"),
        (["{tiny}", "other={tiny}:backward"], Details(), "one pair of contrasts"),
        (["{tiny}"], Details(target_name="FLAIR"), "not FLAIR"),
        (["no-such-style"], Details(), "There is no model"),
        (["{text}"], Details(), "is no candidate"),
    ],
)
def test_what_is_refused(tiny, tmp_path, specs, details, part):
    text = tmp_path / "notes.txt"
    text.write_text("nothing")
    specs = [spec.format(tiny=tiny, text=text) for spec in specs]
    assert part in refusal(resolve, specs, details, tmp_path)
