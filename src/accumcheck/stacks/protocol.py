"""What a stack is: a description that is read without torch, and the part that a worker runs.

There are two kinds. A `LoopSpec` is a training loop that is given a model and samples. A `ProgramSpec` is a program of
the user's, which makes both itself. Either is one file of this folder: importing it is cheap, since what it needs of
torch, transformers or its own package is imported inside its functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from accumcheck.capture.patches import Seam

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from accumcheck.capture.observer import Observer
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Split, TrajectoryPoint
    from accumcheck.stacks.programs.handover import Handover

Holds: TypeAlias = Literal["section", "file", "module", "function", "name", "words", "mapping"]
"""What a key of a stack's configuration holds: further keys; a path, relative to the configuration; a module as
``python -m`` takes it; ``module:function`` or ``file.py:function``; text; a list of words; a mapping of anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the configuration that belongs to a stack.

    ``help`` is one line; ``example`` what to write, with the key's name in it; ``keys`` are those of a section, of
    which exactly one of ``one_of`` is given; ``endings`` are a file's.
    """

    name: str
    holds: Holds
    help: str
    example: str = ""
    required: bool = False
    keys: tuple[Key, ...] = ()
    one_of: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """What is known of a stack before anything is run.

    Attributes:
        name: as ``stack:`` takes it.
        help: what is run, in one line.
        package: the distribution whose release is the stack's; None for a stack that has none of its own.
        modules: ``script: {module: ...}`` of one of these runs this very stack.
        preload: imported once by the fork server, so that no worker pays for it. Nothing that looks for GPUs.
        keys: of the configuration, which only this stack (and its relatives) takes; the first of them is required.
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
    keys: tuple[Key, ...] = ()
    seams: tuple[Seam, ...] = ()
    training_arguments: tuple[str, ...] | None = None
    has_trainer: bool = True
    has_epochs: bool = False


@dataclass(frozen=True)
class Training:
    """What a loop is asked to train: this model on these samples under this split, on this kind of device."""

    check: CheckConfig
    split: Split
    model: torch.nn.Module
    samples: Sequence[dict[str, torch.Tensor]]
    collator: Any
    folder: Path
    device: str
    backend: str


class Loop(Protocol):
    """Software under test that trains what it is given. It is run as it is; only its public arguments are set."""

    def train(self, training: Training, observer: Observer) -> None:
        """Train ``check.steps`` optimizer steps with weights held still and tell the observer what the stack logs."""

    def train_freely(self, training: Training) -> list[TrajectoryPoint]:
        """Train ``check.trajectory_steps`` steps with the user's own optimizer and learning rate."""
        ...


WATCHED = (Seam.ENGINE_STEP, Seam.CLIPPING, Seam.CLIPPING_VALUES, Seam.GRAD_SCALER)
"""What is replaced while anything trains, to see what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSpec(StackSpec):
    """A stack that trains the model and the samples of the configuration.

    ``make`` gives the loop, in a worker; it is called with what follows the colon in ``stack: NAME:VARIANT``.
    """

    make: Callable[[str], Loop]
    seams: tuple[Seam, ...] = WATCHED
    has_epochs: bool = True


OF_PROGRAMS = (Seam.TRAINING_ARGUMENTS, Seam.TRAINER, Seam.TRAINING_STEP, Seam.OPTIMIZER, *WATCHED)
"""What is replaced while a program runs, whatever it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSpec(StackSpec):
    """A stack that makes its own model and data.

    ``start`` runs the program to its end in this process, or until something raises; ``title`` names it in a word.
    """

    start: Callable[[CheckConfig, Handover], None]
    title: Callable[[CheckConfig], str]
    seams: tuple[Seam, ...] = OF_PROGRAMS
