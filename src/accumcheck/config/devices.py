"""An estimate of the number of devices without torch, so that a plan can be shown at once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accumcheck.config.model import LauncherConfig

MOST_CPU_PROCESSES = 8
"""More processes than this on one CPU find no additional faults and only take longer."""


@dataclass(frozen=True, slots=True)
class AssumedDevices:
    """The devices assumed for a plan: how many on all machines together, and how that is known."""

    kind: Literal["cuda", "cpu"]
    count: int
    reason: str


def assume_devices(
    launcher: LauncherConfig, environ: Mapping[str, str] = os.environ, device_folder: Path = Path("/dev")
) -> AssumedDevices:
    """Count GPUs as CUDA_VISIBLE_DEVICES says, or by their device files; else CPU cores, at most `MOST_CPU_PROCESSES`.

    Every machine is assumed to be like this one. The launch counts again, with torch.
    """
    devices = _cpu() if launcher.device == "cpu" else _gpus(environ, device_folder)
    if launcher.device == "auto" and devices.count == 0:
        devices = _cpu()
    if launcher.nnodes == 1:
        return devices
    return AssumedDevices(
        devices.kind, devices.count * launcher.nnodes, f"{devices.reason}, on {launcher.nnodes} machines"
    )


def _gpus(environ: Mapping[str, str], device_folder: Path) -> AssumedDevices:
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named: list[str] = []
        for name in (part.strip() for part in visible.split(",")):
            if name in ("", "-1", "none", "NoDevFiles"):
                break
            named.append(name)
        return AssumedDevices("cuda", len(named), f"CUDA_VISIBLE_DEVICES={visible}")
    files = [path for path in device_folder.glob("nvidia*") if re.fullmatch(r"nvidia[0-9]+", path.name)]
    return AssumedDevices("cuda", len(files), f"{device_folder}/nvidia[0-9]*")


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> AssumedDevices:
    found = cores()
    if found > MOST_CPU_PROCESSES:
        return AssumedDevices("cpu", MOST_CPU_PROCESSES, f"{found} CPU cores, of which {MOST_CPU_PROCESSES} are used")
    return AssumedDevices("cpu", found, f"{found} CPU core{'s' if found > 1 else ''}")
