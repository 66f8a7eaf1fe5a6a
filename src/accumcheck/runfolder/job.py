"""The task of one group of processes, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck.record import Reason

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig


@dataclass(frozen=True, slots=True)
class Job:
    """One group of ``processes`` workers. ``gpus``: the indices it may use; none on a CPU.

    ``folder``: its folder in the run's folder, named after the job: a split's short form, or `layout.REFERENCE`.
    ``membership``: for the reference, the samples of each step as the splits were fed them.
    """

    name: str
    processes: int
    folder: Path
    check: CheckConfig
    device: str
    backend: str
    gpus: tuple[int, ...] = ()
    membership: tuple[tuple[int, ...], ...] = ()
    nodes: int = 1

    @property
    def local_processes(self) -> int:
        """How many of the processes run on each machine."""
        return self.processes // self.nodes

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.folder.parent


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed.

    ``common``: every other job would fail in the same way; ``spread``: those that span several machines would, since
    one of these is lost.
    """

    reason: Reason
    common: bool = False
    spread: bool = False
