"""How a field of a record is written in saved JSON, if its name and type are not enough.

A record is a frozen dataclass. Each field of a saved record has its description below it, as a string, which
``accumcheck schema`` prints. `accumcheck.saved` derives from both how a record is written, checked and described.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Marks a whole number that has a lower bound."""

    least: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """Marks a whole number that has one of a few values."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Always:
    """Marks a text that this version always writes. Any text is accepted when reading."""

    value: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Marks a mapping with exactly these keys, each with its description; ``name``: of its content."""

    name: str
    descriptions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Label:
    """Marks a text as a split in its short form, ``n x b x k``."""


Count = Annotated[int, AtLeast(0)]
LineNumber = Annotated[int, AtLeast(1)]
SplitLabel = Annotated[str, Label()]

LATER: Mapping[str, Any] = {"later": True}
"""Metadata of a field that older versions did not write: if it is missing, it takes its default."""


def written_as(key: str) -> Mapping[str, Any]:
    """Metadata of a field whose key in JSON differs from its name, for example ``from``."""
    return {"key": key}


def followed_by(*attributes: str) -> Mapping[str, Any]:
    """Metadata of a field that is written in short form; these attributes of its value follow as separate keys."""
    return {"followed_by": attributes}
