"""A route written down for OpenVINO is what torch computes."""

from importlib.util import find_spec

import pytest
from tiny_models import make_tiny_many
from written_routes import check_no_torch, check_route

from surgical_style_engine.models.folder import load_model

pytestmark = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_tiny_many(tmp_path_factory.mktemp("many")))


@pytest.mark.parametrize("direction", ["T1w>T2w", "FLAIR>T1w", "T1w+FLAIR>T2w", "FLAIR+T1w>T2w", "T2w+FLAIR>T1w"])
@pytest.mark.parametrize("size", [(32, 64), (20, 36)])
def test_every_route_in_fp32(model, direction, size):
    check_route(model, direction, size)


def test_no_torch_is_needed(model, monkeypatch):
    check_no_torch(model, "T1w+T2w>FLAIR", monkeypatch)
