"""The description of a stack, which needs no torch, and the interface of the part that a worker runs.

There are two kinds of stacks. A `LoopSpec` is a training loop that gets a model and samples. A `ProgramSpec` is a
program that makes both itself. Every stack is one file of this folder. Importing it is fast, because its functions
import torch, transformers and the stack's own package when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from accumcheck.capture.patches import Seam

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from accumcheck.capture.observer import Observer
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Split, TrajectoryPoint
    from accumcheck.stacks.programs.handover import Handover


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A top-level key of the configuration that belongs to one or several stacks.

    Attributes:
        name: the key.
        hint: its type, declared as in `accumcheck.declare.keys`: a section, or another type.
        meaning: its description in one line.
        example: what to write; empty if the key is optional.
        default: makes the value if the key is missing; without it the value is None.
    """

    name: str
    hint: Any
    meaning: str
    example: str = ""
    default: Callable[[], Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """The facts about a stack that are known before anything is run.

    Attributes:
        name: its name in ``stack:``.
        help: what is run, in one line.
        package: the distribution whose release is reported as the stack's release; None if the stack has none.
        modules: ``script: {module: ...}`` with one of these modules runs this stack.
        preload: modules that the fork server imports once, so that workers need not. None may look for GPUs.
        unused: packages that its libraries import wherever they are installed, and that it does not use with a model
            and data that accumcheck makes, see `accumcheck.stacks.registry.unused_packages`.
        own: keys of the configuration that belong to this stack, or to a few stacks.
        seams: what is replaced in installed code while it runs, see `accumcheck.capture.patches`.
        training_arguments: the training arguments that it supports; None: all.
        has_trainer: whether a ``transformers.Trainer`` trains. Hot-fixes need one.
        has_epochs: whether it can train whole epochs.
    """

    name: str
    help: str
    package: str | None = None
    modules: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    own: tuple[OwnKey, ...] = ()
    seams: tuple[Seam, ...] = ()
    training_arguments: tuple[str, ...] | None = None
    has_trainer: bool = True
    has_epochs: bool = False


@dataclass(frozen=True)
class Training:
    """The task of a loop: train this model on these samples under this split, on this kind of device.

    ``updates``: whether the loop makes the user's own optimizer steps. The weights are then restored after each step.
    """

    check: CheckConfig
    split: Split
    model: torch.nn.Module
    samples: Sequence[dict[str, torch.Tensor]]
    collator: Any
    folder: Path
    device: str
    backend: str
    updates: bool = False


class Loop(Protocol):
    """Software under test that trains a given model. It runs unmodified; only its public arguments are set."""

    def train(self, training: Training, observer: Observer) -> None:
        """Train ``check.steps`` optimizer steps and tell the observer what the stack logs.

        The weights are held still: by the caller if ``training.updates`` is set, else by the loop itself.
        """

    def train_freely(self, training: Training) -> list[TrajectoryPoint]:
        """Train ``check.trajectory_steps`` steps with the user's own optimizer and learning rate."""
        ...


UNUSED_BY_TRAINER = ("datasets", "peft")
"""Trainer (transformers 4.45 to 5.24) imports them, with pandas, only to tell whether data or a model are of their
classes."""

PLAIN_SWITCHES = (
    "average_tokens_across_devices",
    "bf16",
    "ddp_find_unused_parameters",
    "fp16",
    "gradient_checkpointing",
    "tf32",
)
"""Training arguments that are on or off, and for which Trainer needs no further package."""

WATCHED = (Seam.ENGINE_STEP, Seam.CLIPPING, Seam.CLIPPING_VALUES, Seam.CLIPPING_TO_A_NORM, Seam.GRAD_SCALER)
"""What is replaced during any training, in order to observe it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSpec(StackSpec):
    """A stack that trains the model and the samples of the configuration.

    ``make`` makes the loop in a worker. Its argument is the part after the colon in ``stack: NAME:VARIANT``.
    """

    make: Callable[[str], Loop]
    seams: tuple[Seam, ...] = (*WATCHED, Seam.SCHEDULE)
    has_epochs: bool = True


OF_PROGRAMS = (
    Seam.TRAINING_ARGUMENTS,
    Seam.TRAINER,
    Seam.TRAINING_STEP,
    Seam.OPTIMIZER,
    Seam.DATA_LOADER,
    Seam.BATCHES,
    Seam.SCHEDULE,
    Seam.GROUP,
    Seam.INIT_GROUP,
    Seam.RENDEZVOUS,
    Seam.ENGINE_CONFIG,
    *WATCHED,
)
"""What is replaced while any program runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSpec(StackSpec):
    """A stack that makes its own model and data.

    ``start`` runs the program in this process until it ends or raises. ``title`` is a short name for it.
    """

    start: Callable[[CheckConfig, Handover], None]
    title: Callable[[CheckConfig], str]
    seams: tuple[Seam, ...] = OF_PROGRAMS
