"""Devices by name, and what the hardware is said to compute in."""

import sys
from types import SimpleNamespace

import pytest
import torch

from surgical_style_engine.backends import devices
from surgical_style_engine.backends.devices import (
    bf16_helps,
    cpu_features,
    device_name,
    list_devices,
    pick_device,
    processor_name,
)
from surgical_style_engine.errors import InputError


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many CUDA devices, with or without an Apple GPU."""

    def make(cuda: int = 0, mps: bool = False, capability: tuple[int, int] = (8, 0)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (5 << 30, 8 << 30))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"Card {number}")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.backends, "mps", SimpleNamespace(is_available=lambda: mps))

    return make


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(0, False, "cpu"), (0, True, "mps"), (1, False, "cuda:0"), (2, True, "cuda:0")]
)
def test_auto_is_the_best_there_is(machine, cuda, mps, best):
    machine(cuda, mps)
    assert str(pick_device("auto")) == best == list_devices()[0].name


def test_named_devices(machine):
    machine(cuda=12, mps=True)
    for name, wanted in (
        ("cpu", "cpu"),
        ("mps", "mps"),
        ("cuda", "cuda:0"),
        ("cuda:0", "cuda:0"),
        ("cuda:11", "cuda:11"),
        ("cuda:07", "cuda:7"),
    ):
        assert str(pick_device(name)) == wanted


@pytest.mark.parametrize("name", ["", "CPU", "gpu", "tpu", "cudax", "cpu:0", "mps:0", "auto "])
def test_unknown_names(machine, name):
    machine(cuda=1, mps=True)
    with pytest.raises(InputError) as caught:
        pick_device(name)
    assert str(caught.value) == f"There is no device '{name}'; use auto, cpu, cuda, cuda:N or mps."
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["cuda:2", "cuda:-1", "cuda:", "cuda:x", "cuda:1.0", "cuda:0:1", "cuda:\u00b2"])
def test_cuda_devices_that_are_not_there(machine, name):
    machine(cuda=2)
    with pytest.raises(InputError) as caught:
        pick_device(name)
    assert str(caught.value) == f"There is no device {name}; there are 2 CUDA devices."


def test_none_of_that_kind(machine):
    machine()
    for name in ("cuda", "cuda:0", "cuda:x"):
        with pytest.raises(InputError, match="^No CUDA device was found; use the device auto or cpu.$"):
            pick_device(name)
    with pytest.raises(InputError, match="^No Apple GPU was found; use the device auto or cpu.$"):
        pick_device("mps")


def test_a_torch_without_apple_support(machine, monkeypatch):
    machine()
    monkeypatch.delattr(torch.backends, "mps")
    assert str(pick_device()) == "cpu"


def test_the_list_names_all_with_their_memory(machine):
    machine(cuda=2, mps=True)
    found = list_devices()
    assert [device.name for device in found] == ["cuda:0", "cuda:1", "mps", "cpu"]
    assert found[1].title == "Card 1" and (found[1].free_bytes, found[1].total_bytes) == (5 << 30, 8 << 30)
    cpu = found[-1]
    assert cpu.title == processor_name() != ""
    if sys.platform == "linux":
        assert 0 < cpu.free_bytes <= cpu.total_bytes
    for device in found:
        assert str(pick_device(device.name)) == device.name


@pytest.mark.parametrize(("capability", "helps"), [((7, 5), False), ((8, 0), True), ((8, 9), True), ((9, 0), True)])
def test_bf16_on_cuda_from_ampere_on(machine, capability, helps):
    machine(cuda=1, capability=capability)
    assert bf16_helps(torch.device("cuda:0")) is helps


CPUINFO = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu sse2 avx2 {}\n\nprocessor\t: 1\n"


@pytest.mark.parametrize(
    ("text", "helps"),
    [
        (CPUINFO.format("avx512f"), False),
        (CPUINFO.format("avx512_bf16"), True),
        (CPUINFO.format("amx_bf16"), True),
        (CPUINFO.format("avx512_bf16_but_other"), False),
        ("Features\t: fp asimd bf16\n", False),
        ("", False),
        (None, False),
    ],
)
def test_bf16_on_cpus_that_say_so(monkeypatch, text, helps):
    def read(path, *_, **__):
        if text is None:
            raise FileNotFoundError(path)  # not Linux
        return text

    monkeypatch.setattr(devices.Path, "read_text", read)
    assert bf16_helps(torch.device("cpu")) is helps
    assert cpu_features() >= {"sse2"} if text and "sse2" in text else True
    assert processor_name() == "Some CPU @ 2 GHz" if text and "model name" in text else True
    # The machine's memory cannot be found either then; that is no failure.
    last = list_devices()[-1]
    assert last.name == "cpu" and last.total_bytes is None


def test_apple_gpus_stay_in_fp32():
    assert bf16_helps(torch.device("mps")) is False


class TestWithoutTorchInMemory:
    @pytest.fixture
    def drivers(self, monkeypatch):
        """A Linux machine where torch is not loaded yet, with or without a driver; how often torch was asked for."""
        asked = []

        def make(driver: bool):
            def load(name):
                if not driver:
                    raise OSError(name)
                return object()

            monkeypatch.delitem(sys.modules, "torch")
            monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
            monkeypatch.setattr(devices.Path, "exists", lambda path: False)
            monkeypatch.setattr(devices.ctypes, "CDLL", load)
            monkeypatch.setattr(devices, "has_torch", lambda: asked.append(1) or False)
            return asked

        return make

    def test_it_stays_unloaded_where_no_driver_is(self, drivers):
        asked = drivers(False)
        assert device_name("auto") == "cpu" and [device.name for device in list_devices()] == ["cpu"]
        assert not asked and "torch" not in sys.modules

    def test_it_is_asked_where_one_is(self, drivers):
        asked = drivers(True)
        assert device_name() == "cpu" and len(asked) == 1

    def test_the_processor_needs_no_torch(self, drivers):
        asked = drivers(True)
        assert device_name("cpu") == "cpu" and bf16_helps("cpu") == bool(cpu_features() & {"avx512_bf16", "amx_bf16"})
        assert not asked and "torch" not in sys.modules


@pytest.mark.parametrize("name", ["cuda", "cuda:3", "mps"])
def test_others_need_it(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert device_name() == "cpu" and [device.name for device in list_devices()] == ["cpu"]
    with pytest.raises(InputError) as caught:
        device_name(name)
    assert str(caught.value) == f"The device {name} needs PyTorch, which is not installed."
