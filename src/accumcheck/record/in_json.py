"""How a field of a record is written in saved JSON, where its name and its type do not say it all.

A record is a frozen dataclass. Each field of one that is saved has its description below it, as a string: what
``accumcheck schema`` prints. `accumcheck.saved` derives from these how a record is written, checked and described.
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
    """Marks a text that this version always writes. When it is read, any text will do."""

    value: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Marks a mapping that has exactly these keys, each with its description; ``name``: of what it holds."""

    name: str
    descriptions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Label:
    """Marks a text that is a split in its short form, ``n x b x k``."""


Count = Annotated[int, AtLeast(0)]
LineNumber = Annotated[int, AtLeast(1)]
SplitLabel = Annotated[str, Label()]

LATER: Mapping[str, Any] = {"later": True}
"""Metadata of a field that reports may lack, since older versions did not write it: it then takes its default."""


def written_as(key: str) -> Mapping[str, Any]:
    """Metadata of a field whose key in JSON is not its name, for example ``from``."""
    return {"key": key}


def followed_by(*attributes: str) -> Mapping[str, Any]:
    """Metadata of a field that is written in short; these attributes of its value follow as keys of their own."""
    return {"followed_by": attributes}
