"""Which devices there are, and what each can compute in."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from surgical_style_engine.common.torch_presence import check_torch, has_torch
from surgical_style_engine.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DeviceInfo:
    """A device by torch's name, what people call it, and its free and total memory in bytes (None if unknown)."""

    name: str
    title: str
    free_bytes: int | None
    total_bytes: int | None


def list_devices() -> list[DeviceInfo]:
    """The devices there are: GPUs that torch can use first, the CPU last."""
    devices = []
    if _may_have_gpu():
        import torch

        if torch.cuda.is_available():
            for number in range(torch.cuda.device_count()):
                name = torch.cuda.get_device_name(number)
                devices.append(DeviceInfo(f"cuda:{number}", name, *torch.cuda.mem_get_info(number)))
        if _has_mps():
            devices.append(DeviceInfo("mps", "Apple GPU", None, None))
    free, total = _main_memory()
    devices.append(DeviceInfo("cpu", processor_name(), free, total))
    return devices


def pick_device(name: str = "auto") -> torch.device:
    """torch.device for auto, cpu, cuda, cuda:N or mps. Raises InputError if it is not here."""
    chosen = device_name(name)
    import torch

    return torch.device(chosen)


def device_name(name: str = "auto") -> str:
    """What ``pick_device`` picks, by torch's name: cpu, cuda:N or mps; torch need not be there. Raises InputError."""
    if name == "auto":
        if not _may_have_gpu():
            return "cpu"
        import torch

        if torch.cuda.is_available():
            return "cuda:0"
        return "mps" if _has_mps() else "cpu"
    if name == "cpu":
        return "cpu"
    is_cuda = name == "cuda" or name.startswith("cuda:")
    if is_cuda or name == "mps":
        check_torch(f"The device {name}")
    if name == "mps":
        if not _has_mps():
            raise InputError("No Apple GPU was found; use the device auto or cpu.")
        return "mps"
    if is_cuda:
        import torch

        number = "0" if name == "cuda" else name.removeprefix("cuda:")
        if not torch.cuda.is_available():
            raise InputError("No CUDA device was found; use the device auto or cpu.")
        if not (number.isascii() and number.isdigit()) or int(number) >= torch.cuda.device_count():
            raise InputError(f"There is no device {name}; there are {torch.cuda.device_count()} CUDA devices.")
        return f"cuda:{int(number)}"
    raise InputError(f"There is no device '{name}'; use auto, cpu, cuda, cuda:N or mps.")


def bf16_helps(device: torch.device | str) -> bool:
    """Whether this device multiplies bf16 in hardware: CUDA from Ampere on, CPUs with AVX512-BF16 or AMX.

    device: torch's, or its name. Looks at what the hardware states; where that is unknown (CPUs outside Linux, Apple
    GPUs) the answer is no.
    """
    kind = str(device).partition(":")[0]
    if kind == "cuda":
        import torch

        return torch.cuda.get_device_capability(device)[0] >= 8
    if kind == "cpu":
        return bool(cpu_features() & {"avx512_bf16", "amx_bf16"})
    return False


def cpu_features() -> set[str]:
    """The processor's instruction sets as Linux names them; empty elsewhere."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return set(line.partition(":")[2].split())
    except OSError:
        pass
    return set()


def processor_name() -> str:
    """What the processor calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _may_have_gpu() -> bool:
    """Whether torch is worth being asked for a GPU.

    Where it is not loaded yet, which takes a second or two, a missing driver is answer enough.
    """
    if "torch" not in sys.modules and platform.system() == "Linux":
        has_driver = Path("/dev/kfd").exists()  # AMD's
        with contextlib.suppress(OSError):
            has_driver = bool(ctypes.CDLL("libcuda.so.1"))  # NVIDIA's
        if not has_driver:
            return False
    return has_torch()


def _has_mps() -> bool:
    import torch

    return bool(getattr(torch.backends, "mps", None)) and torch.backends.mps.is_available()


def _main_memory() -> tuple[int | None, int | None]:
    try:
        values = {}
        for line in Path("/proc/meminfo").read_text().splitlines():
            key, _, rest = line.partition(":")
            values[key] = int(rest.split()[0]) * 1024
        return values.get("MemAvailable"), values.get("MemTotal")
    except (OSError, ValueError, IndexError):
        return None, None
