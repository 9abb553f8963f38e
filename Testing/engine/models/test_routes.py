"""Routes between many domains: written, read, refused."""

import pytest
from tiny_models import make_tiny_many

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.models.routes import Route, route_of, single_routes

DOMAINS = ["T1w", "T1w-Gd", "T2w"]


@pytest.mark.parametrize("direction", ["T1w>T2w", "T1w-Gd+T2w>T1w", "T2w+T1w>T1w-Gd"])
def test_a_route_is_read_as_it_is_written(direction):
    assert route_of(direction, DOMAINS).direction == direction


@pytest.mark.parametrize(
    ("direction", "part"),
    [
        ("forward", "has no direction 'forward'; its routes are written as T1w>T1w-Gd"),
        ("CT>T1w", "knows no domain 'CT'"),
        ("T1w>PD", "knows no domain 'PD'; it has T1w, T1w-Gd, T2w"),
        ("T1w+T1w>T2w", "names an input twice"),
        ("T1w+T2w>T2w", "T2w is among the inputs already"),
        (">T2w", "knows no domain ''"),
    ],
)
def test_what_is_no_route(direction, part):
    with pytest.raises(InputError, match="(?s).*") as caught:
        route_of(direction, DOMAINS, "many")
    assert part in str(caught.value)


def test_single_routes():
    routes = single_routes(DOMAINS)
    assert len(routes) == 6 and all(len(route_of(route, DOMAINS).given) == 1 for route in routes)
    assert Route(("T1w", "T2w"), "FLAIR").bits == "T1w + T2w"


def test_a_model_takes_every_route(tmp_path):
    model = load_model(make_tiny_many(tmp_path))
    card = model.card
    assert card.directions == single_routes(["T1w", "T2w", "FLAIR"])
    assert model.check_direction("FLAIR+T1w>T2w") == "FLAIR+T1w>T2w"
    assert (
        card.domain_from("FLAIR+T1w>T2w").name == "FLAIR + T1w" and card.first_domain("FLAIR+T1w>T2w").name == "FLAIR"
    )
    assert card.domain_to("FLAIR+T1w>T2w").name == "T2w"
    assert card.arguments_of("FLAIR+T1w>T2w") == card.architecture.arguments | {"given": 0b101, "target": 1}
    assert card.way_back("T1w>FLAIR") == "FLAIR>T1w" and card.way_back("T1w+T2w>FLAIR") is None
    with pytest.raises(InputError, match="has no direction"):
        model.check_direction("backward")
