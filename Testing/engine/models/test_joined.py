"""Models for pairs become one for many domains, which does for one input what they do."""

from itertools import combinations

import numpy as np
import pytest
from tiny_calibrations import calibrate
from tiny_models import head, make_tiny_mixture, make_tiny_model, make_tiny_pairs

from surgical_style_engine.errors import InputError
from surgical_style_engine.inference.several.stacked import Beside
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.calibration import read_calibration
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.joined import JoinedPairs, save_joined
from surgical_style_engine.models.verify import check_weights
from surgical_style_engine.volumes.volume import Volume

BOTH, THERE = ("forward", "backward"), ("forward",)
WAYS = (("T1w", "T2w", BOTH), ("FLAIR", "T2w", THERE), ("PD", "T1w", THERE))
TRAINING = {"method": "joined", "steps": 1, "minutes": 1.0}


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture")
    return load_model(make_tiny_mixture(folder)), folder


@pytest.fixture
def pairs(tmp_path):
    return JoinedPairs([load_model(path) for path in make_tiny_pairs(tmp_path, WAYS)])


def volume(seed: int) -> Volume:
    return Volume(head(seed)[None], (2.0, 2.0, 4.0), name=f"{seed}.nii.gz")


@pytest.mark.parametrize(
    ("route", "pair", "direction"),
    [("T1w>T2w", "t1w-t2w", "forward"), ("T2w>T1w", "t1w-t2w", "backward"), ("PD>T1w", "pd-t1w", "forward")],
)
def test_one_input_is_translated_as_by_its_pair_to_the_bit(joined, route, pair, direction):
    model, folder = joined
    own = translate_volume(volume(1), model, direction=route, device="cpu", precision="fp32")
    other = translate_volume(volume(1), load_model(folder / pair), direction=direction, device="cpu", precision="fp32")
    assert np.array_equal(own.volume.array, other.volume.array) and own.volume.array.std() > 1


def test_several_inputs_are_averaged_by_their_shares(joined):
    model, folder = joined
    first, second = volume(1), volume(2)
    beside = Beside("FLAIR", second, model.card.domain("FLAIR").normalization.fit(second.array).forward(second.array))
    together = translate_volume(
        first, model, direction="T1w+FLAIR>T2w", beside=[beside], device="cpu", precision="fp32", keep_normalized=True
    )
    alone = [
        translate_volume(each, load_model(folder / name), device="cpu", precision="fp32", keep_normalized=True)
        for each, name in ((first, "t1w-t2w"), (second, "flair-t2w"))
    ]
    expected = 0.25 * alone[0].normalized_output + 0.75 * alone[1].normalized_output
    inside = (first.array > 0) & (second.array > 0)
    assert np.abs(together.normalized_output - expected)[inside].max() < 1e-4


def test_the_card_has_the_routes_that_there_are(joined):
    card = joined[0].card
    assert card.directions == ["T1w>T2w", "T2w>T1w", "FLAIR>T2w", "PD>T1w"]
    assert card.names == ["T1w", "T2w", "FLAIR", "PD"] and card.targets == ["T1w", "T2w"]
    check_weights(joined[0])


@pytest.mark.parametrize("route", ["T1w>FLAIR", "T1w+T2w>PD", "PD>T2w"])
def test_what_no_input_leads_to_is_refused(joined, route):
    with pytest.raises(InputError, match=r"makes no \w+ of .*; its routes are T1w>T2w"):
        joined[0].check_direction(route)


def test_a_set_goes_where_one_of_it_leads(joined):
    assert joined[0].check_direction("PD+T1w>T2w") == "PD+T1w>T2w"


def test_every_set_has_shares(pairs):
    assert pairs.sets("T1w") == [
        ("T2w",),
        ("PD",),
        ("T2w", "FLAIR"),
        ("T2w", "PD"),
        ("FLAIR", "PD"),
        ("T2w", "FLAIR", "PD"),
    ]
    shares = pairs.equal_shares()
    assert shares[frozenset({"T2w", "FLAIR", "PD"}), "T1w"] == {"T2w": 0.5, "PD": 0.5}
    assert all(sum(each.values()) == pytest.approx(1) for each in shares.values())


def test_shares_that_do_not_add_up_are_refused(pairs):
    with pytest.raises(InputError, match="do not add up"):
        pairs.weights(pairs.equal_shares() | {(frozenset({"T1w", "FLAIR"}), "T2w"): {"T1w": 0.3, "FLAIR": 0.3}})


def test_models_of_whole_stacks_can_be_joined(tmp_path):
    paths = make_tiny_pairs(tmp_path, WAYS[:2], whole_stack=True)
    pairs = JoinedPairs([load_model(path) for path in paths])
    card = pairs.card("whole", "Whole stacks", TRAINING)
    save_joined(tmp_path / "whole", pairs, card, pairs.equal_shares(), "# Whole\n")
    own = translate_volume(
        volume(1), load_model(tmp_path / "whole"), direction="FLAIR>T2w", device="cpu", precision="fp32"
    )
    other = translate_volume(volume(1), load_model(paths[1]), device="cpu", precision="fp32")
    assert np.abs(own.volume.array - other.volume.array).max() < 1e-5 * other.volume.array.max()


def test_what_is_known_of_their_errors_comes_along(tmp_path):
    paths = make_tiny_pairs(tmp_path, WAYS)
    known = calibrate(paths[1], bound=0.2)
    pairs = JoinedPairs([load_model(path) for path in paths])
    card = save_joined(tmp_path / "all", pairs, pairs.card("all", "All", TRAINING), pairs.equal_shares(), "# All\n")
    calibration = pairs.calibration(card)
    assert calibration.directions == {"FLAIR>T2w": read_calibration(known, read_card(known)).directions["forward"]}


def test_models_that_do_not_go_together_are_refused(tmp_path, pairs):
    first = pairs.models[0]

    def refused(other, sentence):
        with pytest.raises(InputError, match=sentence):
            JoinedPairs([first, other])

    with pytest.raises(InputError, match="Two models"):
        JoinedPairs([first])
    refused(first, "t1w-t2w and t1w-t2w both make T2w of T1w")
    refused(load_model(make_tiny_model(tmp_path)), "no model for a pair with the generator bilateral")
    refused(load_model(make_tiny_mixture(tmp_path / "many")), "no model for a pair")
    other = pairs.models[1]
    for changes, sentence in (
        ({"plane": "coronal"}, "were not trained for one plane"),
        ({"spacing_mm": 1.0}, "were not trained for one spacing_mm"),
    ):
        refused(type(other)(other.card.model_copy(update=changes), other.folder), sentence)
    deeper = other.card.architecture.model_copy(update={"arguments": other.card.architecture.arguments | {"levels": 3}})
    refused(type(other)(other.card.model_copy(update={"architecture": deeper}), other.folder), "levels or residual")
    smaller = other.card.architecture.model_copy(update={"arguments": {"features": 16}})
    refused(type(other)(other.card.model_copy(update={"architecture": smaller}), other.folder), "not of one size")
    target = other.card.domains.target.model_copy(update={"units": "ms"})
    domains = other.card.domains.model_copy(update={"target": target})
    refused(type(other)(other.card.model_copy(update={"domains": domains}), other.folder), "takes T2w otherwise")


def test_a_name_that_cannot_be_is_refused(pairs):
    with pytest.raises(InputError, match="A joined model cannot have this name"):
        pairs.card("../up", "Up", TRAINING)


def test_the_shipped_model_is_the_shipped_pairs():
    shipped = load_model("brain-mr-any-contrast")
    assert shipped.card.stored.bytes < 15e6
    layout, weights = shipped.weights("T1w>T2w")
    names, known = shipped.card.names, read_calibration(shipped.folder, shipped.card)
    pairs = [load_model(entry["name"]) for entry in shipped.card.training["models"][:5]]
    for model in pairs:
        for direction in model.card.directions:
            start, end = model.card.domain_from(direction).name, model.card.domain_to(direction).name
            prefix = layout.name_of(names.index(start), names.index(end))
            for name, values in model.weights(direction)[1].items():
                assert np.array_equal(values, weights[f"{prefix}.{name}"])
    for target in shipped.card.targets:
        others = [name for name in names if name != target]
        for count in range(1, len(others) + 1):
            for given in combinations(others, count):
                direction = shipped.check_direction(f"{'+'.join(given)}>{target}")
                route, _ = shipped.weights(direction)
                assert set(route.shares_of_route(weights["shares"])) <= {names.index(name) for name in given}
                assert shipped.card.measured_as(direction) in known.directions
