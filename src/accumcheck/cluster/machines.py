"""How many machines the splits of a configuration need, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from accumcheck.errors import ConfigError
from accumcheck.launch.fits import local_processes

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Split


@dataclass(frozen=True, slots=True)
class Machines:
    """``nodes`` machines with ``per_node`` GPUs each, or CPU cores where ``device`` is ``cpu``: one per process."""

    nodes: int
    per_node: int
    device: str


def machines_for(check: CheckConfig, gpus_per_node: int) -> Machines:
    """The fewest machines on which every split can run, and the most processes that one of them has.

    A split spans all machines if its processes can be distributed evenly, and otherwise runs on the first alone.

    Args:
        check: ``launcher.nnodes`` above 1 is the number of machines.
        gpus_per_node: the GPUs of one machine; on the CPU, how many processes it may have.

    Raises:
        ConfigError: the splits are not named, or there is no such number of machines.
    """
    if not check.splits:
        raise ConfigError("splits: found auto, which depends on the machines; name the splits, for example [8x4x1]")
    given = check.launcher.nnodes
    widest = max(split.num_processes for split in check.splits)
    fewest = given if given > 1 else -(-widest // gpus_per_node)
    for nodes in range(fewest, (given if given > 1 else max(widest, fewest)) + 1):
        needed = [processes_of(split, check, nodes) for split in check.splits]
        if max(needed) <= gpus_per_node:
            return Machines(nodes, max(needed), "cpu" if check.launcher.device == "cpu" else "cuda")
    raise ConfigError(_why_not(check, gpus_per_node, fewest))


def processes_of(split: Split, check: CheckConfig, nodes: int) -> int:
    """How many of its processes a split has on each machine that it uses, of this many."""
    spread = replace(check, launcher=replace(check.launcher, nnodes=nodes))
    return local_processes(split, spread)


def _why_not(check: CheckConfig, gpus_per_node: int, nodes: int) -> str:
    assert check.splits
    lines = []
    for split in check.splits:
        needed = processes_of(split, check, nodes)
        if needed <= gpus_per_node:
            continue
        where = f"splits: {split} on {nodes} machine{'' if nodes == 1 else 's'} of {gpus_per_node}"
        if split.num_processes % nodes:
            lines.append(f"{where}: {split.num_processes} processes cannot be distributed evenly")
        else:
            lines.append(f"{where}: each would have {needed} processes")
    return "; ".join([*lines, "take out the split, or give another --gpus-per-node or launcher.nnodes"])
