"""What a reproduction is made of: a split, a model and rows, small and written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from accumcheck.record import Split

Counts = Literal["shifted", "tokens", "rows"]
"""What a row's mean loss is a mean of: its labels but for the first, all of its labels, or itself."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one row: its numbers, or, of floating point, its shape alone, since they are drawn."""

    values: Any = None
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """A model and rows, as an environment's own transformers makes them.

    ``model_type`` and ``config``: of transformers' `AutoConfig.for_model`, defaults left out; ``model_class``: of
    transformers; ``joined``: fields that a batch joins along their first dimension; ``pad``: the id that pads.
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

    ``stack``: one of `accumcheck.reproduce.scripts.registry.STACKS`; ``arguments``: of `TrainingArguments`, or of the
    stack's own class; ``loss``: with sentence-transformers, the loss's class and its arguments.
    """

    stack: str
    split: Split
    subject: Subject
    arguments: Mapping[str, Any] = field(default_factory=dict)
    loss: tuple[str, Mapping[str, Any]] = ("", MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Heading:
    """What a script says of itself at its head: what is wrong, in one sentence, and the versions it was seen with."""

    summary: str
    versions: tuple[str, ...]
    source: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script came to: its exit code, and what it printed."""

    code: int
    output: str

    @property
    def shows(self) -> bool:
        """Whether the fault is there."""
        return self.code == 1


class NotReproducedError(Exception):
    """No script shows the fault; the text says why, in one sentence."""
