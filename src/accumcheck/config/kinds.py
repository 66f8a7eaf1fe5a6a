"""The kinds of a single value: what a key may hold, read from YAML and written as JSON Schema in the same place."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol

from accumcheck.config.faults import Faults, KeyPath, did_you_mean, show_path
from accumcheck.config.yaml_positions import Item, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Invalid(Enum):
    """What reading gives where an error was noted instead of a value."""

    INVALID = "invalid"


INVALID: Literal[Invalid.INVALID] = Invalid.INVALID


class Kind(Protocol):
    """What a key may hold."""

    @property
    def expected(self) -> str:
        """What is allowed, in words that follow "expected"."""

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """The value, or `INVALID` after noting in `faults` why not."""

    def json_schema(self) -> dict[str, Any]:
        """The same as JSON Schema, draft 2020-12."""


def read(kind: Kind, item: Item, path: KeyPath, faults: Faults) -> Any:
    """Read one value, unless an error was already noted for it."""
    return INVALID if item.broken else kind.read(item, path, faults)


def name_of(item: Item, path: KeyPath) -> str:
    """The key's path for a message, after the alias where the user wrote one: ``torch_dtype (model.dtype)``."""
    return f"{item.alias} ({show_path(path)})" if item.alias else show_path(path)


def describe(item: Item) -> str:
    """What was found, for a message: its text, and its type where that could be taken for another."""
    value = item.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{shorten(item.text)} (a boolean)"
    if isinstance(value, (int, float)):
        return shorten(item.text)
    if isinstance(value, str):
        return f"{shorten(value)!r} (text)"
    return "a list" if isinstance(value, list) else "a mapping"


def reject(item: Item, path: KeyPath, faults: Faults, expected: str, hint: str = "") -> Literal[Invalid.INVALID]:
    """Note what was found and what was expected, with an optional hint that begins with ``; ``."""
    faults.add(item.place, name_of(item, path), f"found {describe(item)}; expected {expected}{hint}")
    return INVALID


def either(words: Sequence[str]) -> str:
    """``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number of at least ``minimum`` and, where given, at most ``maximum``."""

    minimum: int
    maximum: int | None = None

    @property
    def expected(self) -> str:
        """See `Kind`."""
        if self.maximum is None:
            return f"a whole number of at least {self.minimum}"
        return f"a whole number from {self.minimum} to {self.maximum}"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`."""
        value = item.value
        if isinstance(value, int) and not isinstance(value, bool):
            if value >= self.minimum and (self.maximum is None or value <= self.maximum):
                return value
            return reject(item, path, faults, self.expected)
        quoted = isinstance(value, str) and re.fullmatch(r"[-+]?(?:0|[1-9][0-9]*)", value)
        return reject(item, path, faults, self.expected, "; remove the quotes" if quoted else "")

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        schema = {"type": "integer", "minimum": self.minimum}
        return schema if self.maximum is None else {**schema, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Positive:
    """A finite number above 0. With ``auto``, also the word ``auto``, which reads as None."""

    unit: str
    auto: bool = False

    @property
    def expected(self) -> str:
        """See `Kind`."""
        return f"{'auto or ' if self.auto else ''}{self.unit} above 0"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`."""
        value = item.value
        if self.auto and value == "auto":
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if 0 < value < math.inf and (number := _as_float(value)) < math.inf:
                return number
            return reject(item, path, faults, self.expected)
        quoted = isinstance(value, str) and re.fullmatch(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?", value)
        return reject(item, path, faults, self.expected, "; remove the quotes" if quoted else "")

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        number = {"type": "number", "exclusiveMinimum": 0}
        return {"anyOf": [{"const": "auto"}, number]} if self.auto else number


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    expected: str = "true or false"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`."""
        if isinstance(item.value, bool):
            return item.value
        quoted = isinstance(item.value, str) and item.value.lower() in ("true", "false", "yes", "no", "on", "off")
        return reject(item, path, faults, self.expected, "; remove the quotes" if quoted else "")

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is not empty and, where given, matches ``pattern`` as a whole (an ECMA and Python expression)."""

    expected: str
    pattern: str = r"\S"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`."""
        value = item.value
        if isinstance(value, str):
            return value if re.search(self.pattern, value) else reject(item, path, faults, self.expected)
        scalar = isinstance(value, (bool, int, float))
        return reject(item, path, faults, self.expected, f"; put it in quotes: '{item.text}'" if scalar else "")

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "string", "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of words of a command line; numbers are taken as they are written."""

    expected: str = "a list of words, for example [--model, ./my-model]"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`; the value is a tuple."""
        children = item.value
        if not isinstance(children, list):
            return reject(item, path, faults, self.expected)
        for position, child in enumerate(children):
            if isinstance(child.value, (dict, list)) or child.value is None:
                return reject(child, (*path, position), faults, "a word")
        return tuple(child.value if isinstance(child.value, str) else child.text for child in children)

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "array", "items": {"type": ["string", "number", "boolean"]}}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words. ``spellings`` maps other names of a word to it."""

    words: tuple[str, ...]
    spellings: Mapping[str, str] = field(default_factory=dict)

    @property
    def expected(self) -> str:
        """See `Kind`."""
        return either(self.words)

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`."""
        value = item.value
        if not isinstance(value, str):
            return reject(item, path, faults, self.expected)
        word = self.spellings.get(value, value)
        if word in self.words:
            return word
        return reject(item, path, faults, self.expected, did_you_mean(value, (*self.words, *self.spellings)))

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"enum": [*self.words, *self.spellings]}
