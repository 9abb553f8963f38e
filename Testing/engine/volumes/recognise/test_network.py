"""The recogniser's networks in numpy, against the same arithmetic in torch."""

import itertools

import numpy as np
import pytest

from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.volumes.recognise import network
from surgical_style_engine.volumes.recognise.kinds import KINDS


@pytest.fixture(scope="module")
def patches():
    return np.random.default_rng(0).normal(size=(5, 2, 64, 64)).astype(np.float32)


def of_torch(torch, weights, view):
    """Logarithms of probabilities of one network, by torch."""
    features, layer = torch.from_numpy(np.ascontiguousarray(view)), 0
    while f"conv{layer}.weight" in weights:
        kernel, bias = (torch.from_numpy(weights[f"conv{layer}.{part}"]) for part in ("weight", "bias"))
        stride = int(weights.get(f"conv{layer}.stride", 2))
        features = torch.relu(torch.nn.functional.conv2d(features, kernel, bias, stride, kernel.shape[-1] // 2))
        layer += 1
    pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
    linear = [
        torch.from_numpy(weights[f"{name}.{part}"]) for name in ("embed", "classify") for part in ("weight", "bias")
    ]
    embedding = torch.relu(torch.nn.functional.linear(pooled, *linear[:2]))
    return torch.nn.functional.linear(embedding, *linear[2:]).log_softmax(1)


def test_as_torch_computes_it(patches):
    torch = pytest.importorskip("torch")
    recogniser = network.shipped()
    views = [patches, patches[..., ::-1], patches[..., ::-1, ::-1]]
    outputs = [of_torch(torch, *pair) for pair in itertools.product(recogniser.networks, views)]
    logarithms, embeddings = recogniser.look(patches)
    assert np.allclose(logarithms, torch.stack(outputs).mean(0).numpy(), atol=1e-4)
    assert embeddings.shape == (5, 32 * len(recogniser.networks)) and (embeddings >= 0).all()


def test_slices_as_torch_computes_it():
    torch = pytest.importorskip("torch")
    recogniser = network.shipped()
    looks = [recogniser.fine[0]["mean"] + number * recogniser.fine[0]["scale"] for number in (0.2, -0.3)]
    coarse = np.log([0.3, 0.1, 0.2, 0.4])
    logs = []
    for weights in recogniser.fine:
        values = torch.from_numpy((np.stack(looks) - weights["mean"]) / weights["scale"])
        hidden = torch.relu(values @ torch.from_numpy(weights["weight0"]) + torch.from_numpy(weights["bias0"]))
        outputs = hidden @ torch.from_numpy(weights["weight1"]) + torch.from_numpy(weights["bias1"])
        logs.append(outputs.log_softmax(1))
    families = torch.stack(logs).mean((0, 1)) + torch.log(torch.tensor([0.4, 0.2, 0.4]))
    contrasts = np.exp(recogniser.slice_contrasts(looks, coarse))
    assert np.allclose([contrasts[:2].sum(), *contrasts[2:]], families.softmax(0).numpy(), atol=1e-4)
    assert contrasts[0] == pytest.approx(3 * contrasts[1]), "the agent is told by the other measures"
    assert recogniser.slice_contrasts([], coarse) is coarse and len(recogniser.fine)


def test_where_slices_and_other_measures_contradict_each_other_neither_is_believed():
    recogniser = network.shipped()
    flat = {name: np.zeros_like(value) for name, value in recogniser.fine[0].items()} | {"scale": np.ones(155)}
    flat["bias1"] = np.array([0.0, 0.0, 12.0])
    sure = network.Recogniser((), {}, {}, "", (flat,))
    looks = [np.zeros(155)]
    assert np.exp(sure.slice_contrasts(looks, np.log([0.5, 0.2, 0.1, 0.2])))[3] > 0.99
    assert np.exp(sure.slice_contrasts(looks, np.log([0.6, 0.2, 0.15, 0.05])))[3] < 0.58


def test_a_patch_does_not_depend_on_its_neighbours(patches):
    recogniser = network.shipped()
    many = np.concatenate([patches] * 4)  # so many that none is turned
    together = recogniser.look(many)[0]
    assert np.allclose(together[2], recogniser.look(many[::-1])[0][-3], atol=1e-5)
    assert [len(network.turned(part)) for part in (many, patches, patches[:2], patches[:1])] == [1, 3, 8, 8]


def test_a_single_patch_looks_the_same_whichever_way_it_is_turned(patches):
    recogniser = network.shipped()
    one, other = patches[:1], np.rot90(patches[:1], 1, (2, 3))[..., ::-1]
    assert np.allclose(recogniser.look(one)[0], recogniser.look(other)[0], atol=1e-5)


def test_what_is_shipped_is_small_and_complete():
    recogniser = network.shipped()
    assert network.resource().stat().st_size < 1_000_000
    kinds = {f"{word}_{much}" for word in ("least", "farthest") for much in ("whole", "part", "slice")}
    assert kinds | {"least_agent"} == set(recogniser.constants) and len(recogniser.digest) == 16
    assert all(len(weights["classify.bias"]) == len(KINDS) for weights in recogniser.networks)
    assert all(len(weights["bias1"]) == 3 for weights in recogniser.fine), "T1w with and without agent are one"


def test_a_damaged_file_is_one_sentence(tmp_path):
    for content in (b"", b"PK\x03\x04 nothing"):
        (tmp_path / "r.npz").write_bytes(content)
        with pytest.raises(StyleTransferError, match=r"^The recogniser's weights .* are missing or damaged\.$"):
            network.load(tmp_path / "r.npz")
    with pytest.raises(StyleTransferError, match="missing or damaged"):
        network.load(tmp_path / "absent.npz")
