"""Which splits these devices can run, and with which backend; works without torch."""

from __future__ import annotations

from accumcheck.config.model import CheckConfig
from accumcheck.launch.devices import Devices
from accumcheck.record import Reason, Split


def machines_of(split: Split, check: CheckConfig) -> int:
    """How many machines a split spans: all if its processes can be distributed evenly, else one."""
    nnodes = check.launcher.nnodes
    return nnodes if split.num_processes % nnodes == 0 else 1


def local_processes(split: Split, check: CheckConfig) -> int:
    """How many processes a split has on each machine that it spans."""
    return split.num_processes // machines_of(split, check)


def why_not(split: Split, check: CheckConfig, devices: Devices) -> Reason | None:
    """Why a split cannot run on these devices of one machine; None if it can."""
    needed, count = local_processes(split, check), devices.count
    if devices.kind == "cpu" or needed <= count:
        return None
    sharded = bool(check.training_arguments.get("fsdp"))
    if count and check.launcher.oversubscribe and not sharded:
        return None
    hint = "; launcher.oversubscribe: true puts several processes on one GPU" if count else ""
    if sharded:
        hint = (
            "; under FSDP every process needs its own GPU: sharing a GPU falls back to gloo, which cannot gather GPU "
            "shards"
        )
    return Reason("not-enough-devices", f"needs {needed} GPU{'' if needed == 1 else 's'}, {count} present{hint}")


def backend_of(device: str, processes: int, gpus: int) -> str:
    """The communication backend of one machine's processes: NCCL needs one GPU per process."""
    return "nccl" if device == "cuda" and processes <= gpus else "gloo"
