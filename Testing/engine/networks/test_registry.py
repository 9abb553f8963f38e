"""The networks: shapes, the article's mends, spectral norm, precision, export, and the closed registry."""

import importlib
import inspect
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import (
    DISCRIMINATORS,
    GENERATORS,
    build_discriminator,
    build_generator,
    discriminator_settings,
    generator_settings,
    is_shallow,
    known_layout,
    setting_names,
)
from surgical_style_engine.networks.blocks import BlurDownConv, up_block
from surgical_style_engine.networks.registry import Generator

SMALL = {
    "resnet": {"ngf": 8, "n_blocks": 2},
    "resnet_reference": {"ngf": 8, "n_blocks": 2},
    "unet_reference": {"ngf": 4, "num_downs": 5, "norm": "instance"},
    "article": {"ngf": 8},
    "bilateral": {"features": 8, "detail": 8},
}
# Those for many domains are told what is given and asked for: test_domain_grid.py, test_pair_mixture.py.
OF_ONE_ROUTE = sorted(set(GENERATORS) - {"domain_grid", "pair_mixture"})


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def small(name, **arguments):
    return build_generator(name, **{**SMALL[name], "in_channels": 1, "out_channels": 1, **arguments}).eval()


@torch.no_grad()
@pytest.mark.parametrize("name", OF_ONE_ROUTE)
@pytest.mark.parametrize(("channels_in", "channels_out"), [(1, 1), (3, 3), (3, 1)])
def test_generators_keep_any_size(name, channels_in, channels_out):
    network = small(name, in_channels=channels_in, out_channels=channels_out)
    for h, w in ((32, 32), (44, 64), (64, 28)):
        result = network(torch.rand(2, channels_in, h, w) * 2 - 1)
        assert result.shape == (2, channels_out, h, w)
        assert result.abs().max() <= 1 and result.std() > 1e-6


@torch.no_grad()
@pytest.mark.parametrize("name", OF_ONE_ROUTE)
@pytest.mark.parametrize("level", [-1.0, 0.3])
def test_near_constant_slices_give_finite_values(name, level):
    image = torch.full((1, 1, 32, 32), level)
    assert torch.isfinite(small(name)(image)).all()
    image[0, 0, 5, 5] += 1e-7
    assert torch.isfinite(small(name)(image)).all()


@pytest.mark.parametrize("name", OF_ONE_ROUTE)
def test_every_weight_of_a_generator_gets_a_gradient(name):
    network = small(name).train()
    image = torch.rand(2, 1, 32, 32) * 2 - 1
    (network(image) - image).abs().mean().backward()
    for key, weight in network.named_parameters():
        assert weight.grad is not None and torch.isfinite(weight.grad).all(), key


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet", "resnet_reference"])
def test_bf16_stays_close_to_fp32(name):
    network = small(name)
    image = torch.rand(1, 1, 48, 48) * 2 - 1
    exact = network(image)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(image).float()
    error = (rounded - exact).abs()
    assert 0 < error.mean() < 0.02 * exact.std() and error.max() < 0.2 * exact.std()


@torch.no_grad()
def test_the_default_ups_and_downs_draw_no_checkerboard():
    """Constants stay constant through resize + convolution; through the reference's transposed convolution not."""

    def spread(layer):
        layer[-1].weight.copy_(torch.rand_like(layer[-1].weight))
        return float(layer(torch.ones(1, 4, 16, 16))[..., 2:-2, 2:-2].std())

    assert spread(nn.Sequential(*up_block(4, 1)[:3])) < 1e-5
    assert spread(nn.Sequential(nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1, output_padding=1))) > 0.1
    # The finest stripes, which a stride alone would fold into a constant, are removed before it.
    stripes = torch.ones(1, 2, 16, 16)
    stripes[..., ::2] = -1
    assert BlurDownConv(2, 3)(stripes)[..., 1:-1, 1:-1].abs().max() < 1e-6


@torch.no_grad()
def test_patch_discriminator_sees_70_pixels():
    network = build_discriminator("patchgan", in_channels=1, ndf=4)
    image = torch.rand(1, 1, 256, 256)
    scores = network(image)
    assert scores.shape == (1, 1, 30, 30)
    # One score's gradient, without the norms that look at the whole image, covers the 70x70 patch.
    bare = nn.Sequential(*(layer for layer in network.model if not isinstance(layer, nn.InstanceNorm2d)))
    with torch.enable_grad():
        image.requires_grad_(True)
        bare(image)[0, 0, 15, 15].backward()
    rows, columns = (image.grad[0, 0].abs().sum(axis) > 0 for axis in (1, 0))
    assert rows.sum() == columns.sum() == 70


def test_spectral_norm_bounds_every_layer():
    network = build_discriminator("patchgan", in_channels=1, ndf=8, spectral_norm=True)
    plain = build_discriminator("patchgan", in_channels=1, ndf=8)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 5
    with torch.no_grad():
        for layer in layers:
            layer.parametrizations.weight.original.mul_(50)
        for _ in range(60):  # power iterations run in training mode
            network(torch.rand(1, 1, 64, 64))
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) == pytest.approx(1, abs=0.02)
    assert not any("parametrizations" in key for key in plain.state_dict())


def test_article_generator_is_the_listing_mended():
    network = build_generator("article")
    kinds = [type(layer) for layer in network.layers]
    assert sum(hasattr(layer, "body") for layer in network.layers) == 4  # residual blocks
    strides = [layer.stride[0] for layer in network.layers if type(layer) is nn.Conv2d]
    assert strides == [1, 2, 2]  # the two that the listing lacks
    ups = [layer for layer in network.layers if isinstance(layer, nn.ConvTranspose2d)]
    assert [(layer.in_channels, layer.out_channels, layer.stride[0]) for layer in ups] == [(64, 32, 2), (32, 1, 2)]
    slopes = [layer for layer in network.modules() if isinstance(layer, nn.PReLU)]
    assert len(slopes) == 1 + 2 + 4 + 1 and len({id(layer) for layer in slopes}) == len(slopes)
    assert kinds[-1] is nn.Tanh and kinds[2] is nn.InstanceNorm2d


def test_article_discriminator_takes_any_size_and_gives_raw_scores():
    network = build_discriminator("article", ndf=4).eval()
    for h, w in ((64, 64), (256, 256), (96, 40)):
        assert network(torch.rand(3, 1, h, w)).shape == (3, 1)
    with torch.no_grad():
        image = torch.rand(1, 1, 64, 64)
        listed = network.score(network.layers(image).flatten(1))  # what the listing computes, before its sigmoid
        assert torch.equal(network(image), listed)  # at 64x64 the pooling changes nothing
        network.score.bias.fill_(7.0)
        assert (network(image) > 1).all()  # a sigmoid would stay below 1
    kernels = [(c.out_channels, c.kernel_size, c.stride) for c in network.layers if isinstance(c, nn.Conv2d)]
    assert kernels == [(4 * n, (4, 4), (2, 2)) for n in (1, 2, 4, 8)]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.layers[:3])


def test_registry_is_closed():
    for build, registry in ((build_generator, GENERATORS), (build_discriminator, DISCRIMINATORS)):
        for name in registry:
            assert isinstance(build(name), nn.Module)
            with pytest.raises(InputError, match="takes no argument 'command'"):
                build(name, command="rm")
        for name in ("", "os:system", "../resnet", "Resnet"):
            with pytest.raises(InputError, match="there are article"):
                build(name)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet", "resnet_reference", "bilateral"])
@pytest.mark.filterwarnings("ignore")  # the exporter tells of its own deprecation
def test_onnx_export_runs_at_other_sizes(name, tmp_path):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    network, path = small(name), tmp_path / "generator.onnx"
    axes = {0: "n", 2: "h", 3: "w"}
    torch.onnx.export(
        network,
        (torch.rand(1, 1, 32, 32),),
        str(path),
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": axes, "output": axes},
        dynamo=False,
    )
    assert {node.domain for node in onnx.load(path).graph.node} == {""}, "no operations of others"
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for shape in ((1, 1, 32, 32), (2, 1, 44, 64)):
        image = torch.rand(shape) * 2 - 1
        (result,) = session.run(None, {"input": image.numpy()})
        assert result.shape == shape and abs(result - network(image).numpy()).max() < 1e-4


class Mean(nn.Module):
    """A generator from outside: the mean of its channels."""

    def __init__(self, in_channels: int = 1, out_channels: int = 1, width: int = 4) -> None:
        super().__init__()
        self.out_channels, self.width = out_channels, width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(1, keepdim=True).expand(-1, self.out_channels, -1, -1)


def test_another_generator_is_one_entry_more(monkeypatch):
    monkeypatch.setitem(sys.modules, "outside", SimpleNamespace(Mean=Mean))
    monkeypatch.setitem(GENERATORS, "mean", Generator("outside:Mean", ("width",)))
    config = SimpleNamespace(ngf=8, n_blocks=2, width=6)
    network = build_generator("mean", in_channels=3, **generator_settings("mean", config))
    assert network.width == 6 and network(torch.ones(1, 3, 4, 4)).shape == (1, 1, 4, 4)
    assert setting_names(GENERATORS) == ["ngf", "n_blocks", "width"]
    assert known_layout("mean") is None and not is_shallow("mean")
    with pytest.raises(InputError, match="takes no argument 'ngf'"):
        build_generator("mean", ngf=8)


def test_settings_are_arguments_of_the_networks():
    for registry in (GENERATORS, DISCRIMINATORS):
        for name, entry in registry.items():
            module, _, attribute = entry.builder.partition(":")
            parameters = inspect.signature(getattr(importlib.import_module(module), attribute)).parameters
            assert set(entry.settings) <= set(parameters), name


def test_settings_of_a_configuration():
    config = SimpleNamespace(ngf=8, n_blocks=2, ndf=4, n_layers=2, spectral_norm=True)
    assert generator_settings("resnet", config) == {"ngf": 8, "n_blocks": 2}
    assert generator_settings("unet_reference", config) == {"ngf": 8}
    assert discriminator_settings("patchgan", config) == {"ndf": 4, "n_layers": 2, "spectral_norm": True}
    assert discriminator_settings("article", config) == {"ndf": 4}
    with pytest.raises(InputError, match="There is no generator 'vit'"):
        generator_settings("vit", config)
