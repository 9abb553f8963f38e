"""The recogniser's networks in numpy, against the same arithmetic in torch."""

import numpy as np
import pytest

from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.volumes.recognise import network
from surgical_style_engine.volumes.recognise.kinds import KINDS


@pytest.fixture(scope="module")
def patches():
    return np.random.default_rng(0).normal(size=(5, 2, 64, 64)).astype(np.float32)


def test_as_torch_computes_it(patches):
    torch = pytest.importorskip("torch")
    recogniser = network.shipped()
    outputs = []
    for weights in recogniser.networks:
        features, layer = torch.from_numpy(patches), 0
        while f"conv{layer}.weight" in weights:
            kernel, bias = (torch.from_numpy(weights[f"conv{layer}.{part}"]) for part in ("weight", "bias"))
            features = torch.relu(torch.nn.functional.conv2d(features, kernel, bias, 2, kernel.shape[-1] // 2))
            layer += 1
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        linear = [
            torch.from_numpy(weights[f"{name}.{part}"]) for name in ("embed", "classify") for part in ("weight", "bias")
        ]
        embedding = torch.relu(torch.nn.functional.linear(pooled, *linear[:2]))
        outputs.append(torch.nn.functional.linear(embedding, *linear[2:]).log_softmax(1))
    logarithms, embeddings = recogniser.look(patches)
    assert np.allclose(logarithms, torch.stack(outputs).mean(0).numpy(), atol=1e-4)
    assert embeddings.shape == (5, 32 * len(recogniser.networks)) and (embeddings >= 0).all()


def test_a_patch_does_not_depend_on_its_neighbours(patches):
    together, alone = (network.shipped().look(part)[0] for part in (patches, patches[2:3]))
    assert np.allclose(together[2], alone[0], atol=1e-5)


def test_what_is_shipped_is_small_and_complete():
    recogniser = network.shipped()
    assert network.resource().stat().st_size < 1_000_000
    assert {"least_kind", "least_part", "least_agent"} <= set(recogniser.constants) and len(recogniser.digest) == 16
    assert all(len(weights["classify.bias"]) == len(KINDS) for weights in recogniser.networks)


def test_a_damaged_file_is_one_sentence(tmp_path):
    for content in (b"", b"PK\x03\x04 nothing"):
        (tmp_path / "r.npz").write_bytes(content)
        with pytest.raises(StyleTransferError, match=r"^The recogniser's weights .* are missing or damaged\.$"):
            network.load(tmp_path / "r.npz")
    with pytest.raises(StyleTransferError, match="missing or damaged"):
        network.load(tmp_path / "absent.npz")
