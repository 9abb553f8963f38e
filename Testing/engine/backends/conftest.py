"""Small models, and a runner of each in every setting."""

from importlib.util import find_spec

import pytest
from agreement import SETTINGS, lively
from tiny_models import make_tiny_model

from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model, save_model
from surgical_style_engine.networks import build_generator


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a small model in fp32, both directions."""
    parent = tmp_path_factory.mktemp("models")
    card = read_card(make_tiny_model(parent, "base"))
    states = [lively(build_generator("resnet", **card.architecture.arguments)) for _ in range(2)]
    states[1] = {key: value.flip(0) for key, value in states[1].items()}
    save_model(parent / "tiny", card.model_copy(update={"name": "tiny"}), *states)
    return parent / "tiny"


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder)


@pytest.fixture(scope="module")
def runners(model):
    """One of each setting; compiling takes a second."""
    if not find_spec("openvino"):
        pytest.skip("openvino is not installed")
    return {setting: make_runner(model, device="cpu", precision=setting[1], backend=setting[0]) for setting in SETTINGS}


@pytest.fixture(scope="module", params=["resnet", "unet_reference", "article", "bilateral"])
def any_model(request, tmp_path_factory):
    """Every architecture, small, as a 2.5-D model."""
    small = {
        "resnet": {"in_channels": 3, "out_channels": 3, "ngf": 6, "n_blocks": 2},
        "unet_reference": {"in_channels": 3, "out_channels": 3, "ngf": 2, "num_downs": 5, "norm": "instance"},
        "article": {"in_channels": 3, "out_channels": 3, "ngf": 6, "n_blocks": 1},
        "bilateral": {"in_channels": 3, "out_channels": 3, "features": 8, "bins": 6, "detail": 4},
    }[request.param]
    parent = tmp_path_factory.mktemp(request.param)
    card = read_card(make_tiny_model(parent, "base"))
    state = lively(build_generator(request.param, **small))
    card = card.model_copy(
        update={
            "architecture": card.architecture.model_copy(update={"name": request.param, "arguments": small}),
            "stack": 3,
            "directions": ["forward"],
            "name": request.param.replace("_", "-"),
        }
    )
    save_model(parent / "made", card, state)
    return load_model(parent / "made")


@pytest.fixture(scope="module")
def any_runners(any_model):
    if not find_spec("openvino"):
        pytest.skip("openvino is not installed")
    return {
        setting: make_runner(any_model, device="cpu", precision=setting[1], backend=setting[0]) for setting in SETTINGS
    }
