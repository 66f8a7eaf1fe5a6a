"""The available devices, as torch counts them, without starting CUDA in this process."""

from __future__ import annotations

from dataclasses import dataclass

from accumcheck.config.devices import cores


@dataclass(frozen=True, slots=True)
class Devices:
    """``kind`` is ``cuda`` or ``cpu``; ``count`` GPUs, or CPU cores that this process may use."""

    kind: str
    name: str
    count: int
    reason: str


def detect(wanted: str) -> Devices:
    """The devices for ``launcher.device``: ``auto``, ``cuda`` or ``cpu``. ``reason`` says why these."""
    import torch

    gpus = torch.cuda.device_count() if wanted != "cpu" else 0
    if gpus or wanted == "cuda":
        return Devices("cuda", _gpu_name(), gpus, f"torch sees {gpus} GPU{'' if gpus == 1 else 's'}")
    return Devices("cpu", _cpu_name(), cores(), "launcher.device is cpu" if wanted == "cpu" else "torch sees no GPU")


def _gpu_name() -> str:
    """The driver's name of the first GPU; asking torch would start CUDA here."""
    import shutil
    import subprocess

    if shutil.which("nvidia-smi") is None:
        return ""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False).stdout
    return answer.strip().splitlines()[0] if answer.strip() else ""


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:  # noqa: PTH123
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    import platform

    return platform.processor() or platform.machine()
