"""What computes the middle slice alone computes the same for it."""

import pytest
import torch

from surgical_style_engine.networks import build_generator
from surgical_style_engine.networks.fast.middle_slice import middle_only


@pytest.mark.parametrize("name", ["resnet", "resnet_reference"])
@pytest.mark.parametrize(("stack", "channels"), [(3, 1), (5, 1), (3, 3)])
def test_the_middle_slice_stays_the_same(name, stack, channels):
    torch.manual_seed(0)
    count = stack * channels
    network = build_generator(name, in_channels=count, out_channels=count, ngf=4, n_blocks=1).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(20)
    images = torch.rand(1, count, 32, 24) * 2 - 1
    before = {key: value.clone() for key, value in network.state_dict().items()}
    part = middle_only(network, channels)
    with torch.no_grad():
        whole, middle = network(images), part(images)
    first = (stack // 2) * channels
    assert middle.shape == (1, channels, 32, 24)
    assert whole.std() > 0.05
    assert torch.allclose(middle, whole[:, first : first + channels], atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("detail", [0, 4])
@pytest.mark.parametrize(("stack", "channels"), [(3, 1), (5, 1), (3, 3)])
def test_tone_curves_of_the_middle_slice_stay_the_same(stack, channels, detail):
    torch.manual_seed(0)
    count = stack * channels
    network = build_generator(
        "bilateral", in_channels=count, out_channels=count, features=8, bins=5, levels=1, detail=detail
    ).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    images = torch.rand(1, count, 32, 24) * 2 - 1
    part = middle_only(network, channels)
    with torch.no_grad():
        whole, middle = network(images), part(images)
    first = (stack // 2) * channels
    assert middle.shape == (1, channels, 32, 24) and middle.std() > 0.05
    assert torch.allclose(middle, whole[:, first : first + channels], atol=1e-5)
    assert part.head.weight.data_ptr() != network.head.weight.data_ptr()
    assert network.head.out_channels == count * 5 and part.head.weight.shape[0] == channels * 5
    single = build_generator("bilateral", features=8)
    assert middle_only(single, 1) is single


def test_other_networks_stay_as_they_are():
    single = build_generator("resnet", ngf=4, n_blocks=1)
    unet = build_generator("unet_reference", in_channels=3, out_channels=3, ngf=4)
    assert middle_only(single, 1) is single
    assert middle_only(unet, 1) is unet
