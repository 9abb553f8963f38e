"""Which devices there are, and what each can compute in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

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
    """The devices torch can use here: GPUs first, the CPU last."""
    import torch

    found = []
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            found.append(DeviceInfo(f"cuda:{number}", torch.cuda.get_device_name(number), free, total))
    if _has_mps():
        found.append(DeviceInfo("mps", "Apple GPU", None, None))
    free, total = _main_memory()
    found.append(DeviceInfo("cpu", processor_name(), free, total))
    return found


def pick_device(name: str = "auto") -> torch.device:
    """torch.device for auto, cpu, cuda, cuda:N or mps. Raises InputError if it is not here."""
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if _has_mps() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name == "mps":
        if not _has_mps():
            raise InputError("No Apple GPU was found; use the device auto or cpu.")
        return torch.device("mps")
    if name == "cuda" or name.startswith("cuda:"):
        number = "0" if name == "cuda" else name.removeprefix("cuda:")
        if not torch.cuda.is_available():
            raise InputError("No CUDA device was found; use the device auto or cpu.")
        if not (number.isascii() and number.isdigit()) or int(number) >= torch.cuda.device_count():
            raise InputError(f"There is no device {name}; there are {torch.cuda.device_count()} CUDA devices.")
        return torch.device(f"cuda:{int(number)}")
    raise InputError(f"There is no device '{name}'; use auto, cpu, cuda, cuda:N or mps.")


def bf16_helps(device: torch.device) -> bool:
    """Whether this device multiplies bf16 in hardware: CUDA from Ampere on, CPUs with AVX512-BF16 or AMX.

    Looks at what the hardware states; where that is unknown (CPUs outside Linux, Apple GPUs) the answer is no.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
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
    import platform

    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


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
