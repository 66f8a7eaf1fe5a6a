"""The parts of a reproduction: a split, a small model, and rows that are written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from accumcheck.record import Split

Counts = Literal["shifted", "tokens", "rows"]
"""What the mean loss of a row averages: all labels except the first, all labels, or the row itself."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one row: its numbers; for floating point only the shape, because the numbers are random."""

    values: Any = None
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """A model and rows, made by the transformers of an environment.

    ``model_type`` and ``config``: for transformers' `AutoConfig.for_model`, without defaults; ``model_class``: a class
    of transformers; ``joined``: fields that a batch concatenates along their first dimension; ``pad``: the padding id.
    """

    model_type: str
    config: Mapping[str, Any]
    model_class: str
    counts: Counts
    rows: tuple[Mapping[str, Field], ...]
    joined: tuple[str, ...] = ()
    pad: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One candidate for a reproduction.

    ``stack``: one of `accumcheck.reproduce.scripts.registry.STACKS`; ``arguments``: for `TrainingArguments`, or for
    the stack's own class; ``loss``: for sentence-transformers, the class of the loss and its arguments.
    """

    stack: str
    split: Split
    subject: Subject
    arguments: Mapping[str, Any] = field(default_factory=dict)
    loss: tuple[str, Mapping[str, Any]] = ("", MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Heading:
    """The text at the top of a script: the fault in one sentence, and the versions that have it."""

    summary: str
    versions: tuple[str, ...]
    source: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a script: its exit code and its output."""

    code: int
    output: str

    @property
    def shows(self) -> bool:
        """Whether the script shows the fault."""
        return self.code == 1


class NotReproducedError(Exception):
    """No script shows the fault. The text says why in one sentence."""
