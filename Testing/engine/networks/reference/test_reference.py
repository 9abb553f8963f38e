"""The reference layouts: the keys as published, and the arithmetic against plain functional code of the same layout."""

import pytest
import torch
from torch.nn import functional as F

from surgical_style_engine.errors import InputError
from surgical_style_engine.networks import build_generator


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def keys(*numbers, kinds=("weight", "bias"), form="model.{}.{}"):
    return {form.format(number, kind) for number in numbers for kind in kinds}


def block_keys(first, count, convolutions=(1, 5)):
    return {
        f"model.{block}.conv_block.{number}.{kind}"
        for block in range(first, first + count)
        for number in convolutions
        for kind in ("weight", "bias")
    }


# Which indices of ``model`` hold weights, as in the state dictionaries of the reference repositories.
RESNET_LAYOUTS = {
    "CycleGAN resnet_6blocks": ({"n_blocks": 6}, keys(1, 4, 7, 16, 19, 23) | block_keys(10, 6)),
    "CycleGAN resnet_9blocks": ({"n_blocks": 9}, keys(1, 4, 7, 19, 22, 26) | block_keys(10, 9)),
    "with dropout": (
        {"n_blocks": 9, "dropout": True},
        keys(1, 4, 7, 19, 22, 26) | block_keys(10, 9, convolutions=(1, 6)),
    ),
    "CUT resnet_9blocks": (
        {"n_blocks": 9, "antialias": True, "antialias_up": True},
        keys(1, 4, 8, 22, 26, 30) | block_keys(12, 9) | keys(7, 11, 21, 25, kinds=["filt"]),
    ),
    "CUT resnet_6blocks": (
        {"n_blocks": 6, "antialias": True, "antialias_up": True},
        keys(1, 4, 8, 19, 23, 27) | block_keys(12, 6) | keys(7, 11, 18, 22, kinds=["filt"]),
    ),
    "CUT no_antialias_up": (
        {"n_blocks": 6, "antialias": True},
        keys(1, 4, 8, 18, 21, 25) | block_keys(12, 6) | keys(7, 11, kinds=["filt"]),
    ),
}


@pytest.mark.parametrize("layout", RESNET_LAYOUTS)
def test_resnet_keys(layout):
    arguments, expected = RESNET_LAYOUTS[layout]
    assert set(build_generator("resnet_reference", ngf=2, **arguments).state_dict()) == expected


def test_resnet_with_batch_norm_has_no_biases_before_norms():
    state = build_generator("resnet_reference", ngf=2, n_blocks=6, norm="batch").state_dict()
    plain = {key for key in state if not key.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    convolutions = keys(1, 4, 7, 16, 19, kinds=["weight"]) | keys(23)
    convolutions |= {f"model.{block}.conv_block.{n}.weight" for block in range(10, 16) for n in (1, 5)}
    norms = keys(2, 5, 8, 17, 20)
    norms |= {f"model.{b}.conv_block.{n}.{kind}" for b in range(10, 16) for n in (2, 6) for kind in ("weight", "bias")}
    assert plain == convolutions | norms


def unet_keys(num_downs, batch):
    """Every level holds its convolution down, its norm, the level below, its convolution up, its norm."""
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"] if batch else []
    kinds = ["weight"] if batch else ["weight", "bias"]
    found = {f"model.model.0.{kind}" for kind in kinds} | {"model.model.3.weight", "model.model.3.bias"}
    prefix = "model.model.1.model."
    for _ in range(num_downs - 2):
        for number, names in ((1, kinds), (2, norm), (5, kinds), (6, norm)):
            found |= {f"{prefix}{number}.{name}" for name in names}
        prefix += "3.model."
    for number, names in ((1, kinds), (3, kinds), (4, norm)):  # the innermost level has no norm on its way down
        found |= {f"{prefix}{number}.{name}" for name in names}
    return found


@pytest.mark.parametrize("num_downs", [7, 8])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_unet_keys(num_downs, norm):
    expected = unet_keys(num_downs, norm == "batch")
    for dropout in (False, True):
        network = build_generator("unet_reference", ngf=2, num_downs=num_downs, norm=norm, dropout=dropout)
        assert set(network.state_dict()) == expected


def norm(x):
    return (x - x.mean((2, 3), keepdim=True)) / torch.sqrt(x.var((2, 3), keepdim=True, unbiased=False) + 1e-5)


def cut_down(x, kernel):
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def cut_up(x, kernel):
    """CUT's Upsample: transposed convolution of the replicated image, its first and last lines cut off."""
    doubled = F.conv_transpose2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, None, 2, 2, groups=x.shape[1])
    return doubled[:, :, 1:-1, 1:-1]


def functional_resnet(state, x, n_blocks, antialias):
    def weights(number, part=""):
        return state[f"model.{number}.{part}weight"], state[f"model.{number}.{part}bias"]

    x = F.relu(norm(F.conv2d(F.pad(x, (3,) * 4, mode="reflect"), *weights(1))))
    at = 4
    for _ in range(2):
        x = F.relu(norm(F.conv2d(x, *weights(at), stride=1 if antialias else 2, padding=1)))
        x = cut_down(x, state[f"model.{at + 3}.filt"]) if antialias else x
        at += 4 if antialias else 3
    for _ in range(n_blocks):
        inside = F.relu(norm(F.conv2d(F.pad(x, (1,) * 4, mode="reflect"), *weights(at, "conv_block.1."))))
        x = x + norm(F.conv2d(F.pad(inside, (1,) * 4, mode="reflect"), *weights(at, "conv_block.5.")))
        at += 1
    for _ in range(2):
        if antialias:
            x = F.conv2d(cut_up(x, state[f"model.{at}.filt"]), *weights(at + 1), padding=1)
        else:
            x = F.conv_transpose2d(x, *weights(at), stride=2, padding=1, output_padding=1)
        x = F.relu(norm(x))
        at += 4 if antialias else 3
    return torch.tanh(F.conv2d(F.pad(x, (3,) * 4, mode="reflect"), *weights(at + 1)))


@torch.no_grad()
@pytest.mark.parametrize("antialias", [False, True])
def test_resnet_arithmetic(antialias):
    arguments = {"in_channels": 3, "out_channels": 3, "ngf": 4, "n_blocks": 2}
    network = build_generator("resnet_reference", **arguments, antialias=antialias, antialias_up=antialias).eval()
    state = {
        key: value if key.endswith("filt") else torch.randn_like(value) * 0.3
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(state)
    for key, value in state.items():
        if key.endswith("filt"):  # the constants of CUT's kernels: the blur sums to 1, the doubling one to 4
            row = {3: [1.0, 2, 1], 4: [1.0, 3, 3, 1]}[value.shape[-1]]
            expected = torch.outer(torch.tensor(row), torch.tensor(row)) / 16
            torch.testing.assert_close(value, expected.expand_as(value))
    image = torch.rand(2, 3, 28, 40) * 2 - 1
    result, expected = network(image), functional_resnet(state, image, 2, antialias)
    assert expected.std() > 0.1
    torch.testing.assert_close(result, expected, atol=2e-5, rtol=1e-4)


def functional_unet(state, x, prefix="model.model."):
    """One level and those below; the reference's leaky ReLU changes x in place before x is joined."""

    def weights(number):
        return state[f"{prefix}{number}.weight"], state.get(f"{prefix}{number}.bias")

    def after(number, values):
        weight, shift = weights(number)
        return norm(values) * weight[:, None, None] + shift[:, None, None]

    if prefix == "model.model.":
        inner = functional_unet(state, F.conv2d(x, *weights(0), stride=2, padding=1), prefix + "1.model.")
        return torch.tanh(F.conv_transpose2d(F.relu(inner), *weights(3), stride=2, padding=1))
    x = F.leaky_relu(x, 0.2)
    down = F.conv2d(x, *weights(1), stride=2, padding=1)
    if f"{prefix}6.weight" in state:
        inner = functional_unet(state, after(2, down), prefix + "3.model.")
        up = after(6, F.conv_transpose2d(F.relu(inner), *weights(5), stride=2, padding=1))
    else:
        up = after(4, F.conv_transpose2d(F.relu(down), *weights(3), stride=2, padding=1))
    return torch.cat([x, up], 1)


@torch.no_grad()
def test_unet_arithmetic_and_odd_sizes():
    network = build_generator("unet_reference", ngf=4, num_downs=5, norm="batch_image").eval()
    state = {key: torch.randn_like(value) * 0.3 for key, value in network.state_dict().items()}
    network.load_state_dict(state)
    image = torch.rand(2, 3, 32, 64) * 2 - 1
    result, expected = network(image), functional_unet(state, image)
    assert expected.std() > 0.1
    torch.testing.assert_close(result, expected, atol=2e-5, rtol=1e-4)
    # Other sizes run with their far edges repeated, and come back cropped.
    padded = F.pad(image[..., :30, :50], (0, 14, 0, 2), mode="replicate")
    torch.testing.assert_close(network(image[..., :30, :50]), network(padded)[..., :30, :50])


@torch.no_grad()
def test_batch_norm_of_one_image_is_that_of_the_reference_test_script():
    """The reference leaves batch norm in training mode when it tests with one image at a time."""
    arguments = {"ngf": 4, "num_downs": 5}
    training = build_generator("unet_reference", norm="batch", **arguments).train()
    for key, value in training.state_dict().items():
        if value.dim() == 1 and value.is_floating_point():
            value.copy_(torch.rand_like(value) + (0.5 if key.endswith("weight") else 0))
    testing = build_generator("unet_reference", norm="batch_image", **arguments).eval()
    testing.load_state_dict({key: training.state_dict()[key] for key in testing.state_dict()})
    images = torch.rand(2, 3, 64, 64)
    separate = torch.cat([training(image[None]) for image in images])
    torch.testing.assert_close(testing(images), separate, atol=1e-5, rtol=1e-4)


def test_impossible_arguments():
    for arguments in ({"norm": "group"}, {"num_downs": 3}, {"ngf": "64"}, {"out_channels": 0}):
        with pytest.raises(InputError):
            build_generator("unet_reference", **arguments)
