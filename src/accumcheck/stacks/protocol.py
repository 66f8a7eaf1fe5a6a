"""The one interface between accumcheck and the software under test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from accumcheck.capture.observer import Observer
from accumcheck.config.model import CheckConfig
from accumcheck.record import Split, TrajectoryPoint


@dataclass(frozen=True)
class Task:
    """What a stack is asked to train: this model on these samples under this split, on this kind of device."""

    check: CheckConfig
    split: Split
    model: torch.nn.Module
    samples: Sequence[dict[str, torch.Tensor]]
    collator: Any
    folder: Path
    device: str
    backend: str


class Stack(Protocol):
    """Software under test. It is run as it is; only its public arguments are set."""

    def train(self, task: Task, observer: Observer) -> None:
        """Train ``check.steps`` optimizer steps with weights held still and tell the observer what the stack logs."""
        ...

    def train_freely(self, task: Task) -> list[TrajectoryPoint]:
        """Train ``check.trajectory_steps`` steps with the user's own optimizer and learning rate."""
        ...
