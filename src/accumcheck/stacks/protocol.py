"""What a stack is: a description that is read without torch, and the part that a worker runs.

There are two kinds. A `LoopSpec` is a training loop that is given a model and samples. A `ProgramSpec` is a program of
the user's, which makes both itself. Either is one file of this folder: importing it is cheap, since what it needs of
torch, transformers or its own package is imported inside its functions.
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
    """A top-level key of the configuration that belongs to a stack, or to several.

    Attributes:
        name: as the user writes it.
        hint: its type, as `accumcheck.declare.keys` declares them: a section, or another.
        meaning: one line.
        example: what to write; empty where it may be left out.
        default: makes the value where it is left out; None is the value otherwise.
    """

    name: str
    hint: Any
    meaning: str
    example: str = ""
    default: Callable[[], Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """What is known of a stack before anything is run.

    Attributes:
        name: as ``stack:`` takes it.
        help: what is run, in one line.
        package: the distribution whose release is the stack's; None for a stack that has none of its own.
        modules: ``script: {module: ...}`` of one of these runs this very stack.
        preload: imported once by the fork server, so that no worker pays for it. Nothing that looks for GPUs.
        own: keys of the configuration that only this stack (and its relatives) takes.
        seams: what is replaced in installed code while it runs, see `accumcheck.capture.patches`.
        training_arguments: those that it obeys; None where it takes any.
        has_trainer: whether a ``transformers.Trainer`` trains, which can be given a hot-fix.
        has_epochs: whether it can train whole epochs.
    """

    name: str
    help: str
    package: str | None = None
    modules: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    own: tuple[OwnKey, ...] = ()
    seams: tuple[Seam, ...] = ()
    training_arguments: tuple[str, ...] | None = None
    has_trainer: bool = True
    has_epochs: bool = False


@dataclass(frozen=True)
class Training:
    """What a loop is asked to train: this model on these samples under this split, on this kind of device.

    ``updates``: whether its steps are to be the user's own, since the weights are put back after each.
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
    """Software under test that trains what it is given. It is run as it is; only its public arguments are set."""

    def train(self, training: Training, observer: Observer) -> None:
        """Train ``check.steps`` optimizer steps and tell the observer what the stack logs.

        Weights are held still: by the caller where ``training.updates`` says so, else by the loop itself.
        """

    def train_freely(self, training: Training) -> list[TrajectoryPoint]:
        """Train ``check.trajectory_steps`` steps with the user's own optimizer and learning rate."""
        ...


WATCHED = (Seam.ENGINE_STEP, Seam.CLIPPING, Seam.CLIPPING_VALUES, Seam.CLIPPING_TO_A_NORM, Seam.GRAD_SCALER)
"""What is replaced while anything trains, to see what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSpec(StackSpec):
    """A stack that trains the model and the samples of the configuration.

    ``make`` gives the loop, in a worker; it is called with what follows the colon in ``stack: NAME:VARIANT``.
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
    Seam.RENDEZVOUS,
    Seam.ENGINE_CONFIG,
    *WATCHED,
)
"""What is replaced while a program runs, whatever it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSpec(StackSpec):
    """A stack that makes its own model and data.

    ``start`` runs the program to its end in this process, or until something raises; ``title`` names it in a word.
    """

    start: Callable[[CheckConfig, Handover], None]
    title: Callable[[CheckConfig], str]
    seams: tuple[Seam, ...] = OF_PROGRAMS
