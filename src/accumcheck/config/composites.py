"""The kinds of the contract's own: splits, severities by weighting rule, a pair of fractions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accumcheck.config.faults import Faults, KeyPath, did_you_mean, show_path
from accumcheck.config.kinds import INVALID, Choice, name_of, read, reject
from accumcheck.record import Split

if TYPE_CHECKING:
    from accumcheck.config.sections import Section
    from accumcheck.config.yaml_positions import Item

_NUMBER = r"\s*0*[1-9][0-9]{0,9}\s*"
_SHORT_SPLIT = f"^{_NUMBER}[xX]{_NUMBER}[xX]{_NUMBER}$"


@dataclass(frozen=True, slots=True)
class OneSplit:
    """A split, as the short text ``4x16x2`` or as a mapping."""

    section: Section
    expected: str = "n x b x k, three whole numbers of at least 1, for example 4x16x2"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`; the value is a `Split`."""
        if isinstance(item.value, str) and re.search(_SHORT_SPLIT, item.value):
            return Split.parse(item.value)
        if item.mapping is None:
            numbers = [child.text for child in item.value] if isinstance(item.value, list) else []
            hint = f"; write {'x'.join(numbers)}" if len(numbers) == 3 and all(map(str.isdecimal, numbers)) else ""
            return reject(item, path, faults, self.expected, hint)
        values = self.section.read(item, path, faults)
        return Split(**values) if len(values) == len(self.section.fields) else INVALID

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"anyOf": [{"type": "string", "pattern": _SHORT_SPLIT}, self.section.json_schema()]}


@dataclass(frozen=True, slots=True)
class Splits:
    """A list of splits, none twice, or the word ``auto``, which reads as None."""

    one: OneSplit
    expected: str = "auto or a list of splits, for example [1x8x1, 2x2x2]"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`; the value is a tuple of the valid ones, or None."""
        if item.value == "auto":
            return None
        if not isinstance(item.value, list) or not item.value:
            short = isinstance(item.value, str) and re.search(_SHORT_SPLIT, item.value)
            return reject(item, path, faults, self.expected, f"; write [{item.value}]" if short else "")
        first: dict[Split, int] = {}
        for i, child in enumerate(item.value):
            split = read(self.one, child, (*path, i), faults)
            if split in first:
                again = f"{split} is given twice, first as {show_path((*path, first[split]))}; keep one"
                faults.add(child.place, name_of(child, (*path, i)), again)
            elif split is not INVALID:
                first[split] = i
        return tuple(first)

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        array = {"type": "array", "minItems": 1, "uniqueItems": True, "items": self.one.json_schema()}
        return {"anyOf": [{"const": "auto"}, array]}


@dataclass(frozen=True, slots=True)
class Severities:
    """Weighting rules to severities. A rule is a base with factors of k and n, or one of the ``others``."""

    bases: tuple[str, ...]
    others: tuple[str, ...]
    severity: Choice
    expected: str = "a mapping of weighting rules to ignore, warn or fail"

    @property
    def _pattern(self) -> str:
        factors = r"(?:[*/]k(?:[*/]n)?|[*/]n(?:[*/]k)?)?"
        return f"^(?:(?:{'|'.join(self.bases)}){factors}|{'|'.join(self.others)})$"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`; factors come in the order k, n."""
        if item.mapping is None:
            return reject(item, path, faults, self.expected)
        severities: dict[str, str] = {}
        for rule, child in item.mapping.items():
            value = read(self.severity, child, (*path, rule), faults)
            if not re.search(self._pattern, rule):
                hint = did_you_mean(rule, (*self.bases, *self.others))
                message = (
                    f"unknown weighting rule; allowed: {', '.join(self.bases)}, each with factors such as *k "
                    f"or *k*n, and {', '.join(self.others)}{hint}"
                )
                faults.add(child.place, show_path((*path, rule)), message)
                continue
            canonical = re.sub(r"([*/]n)([*/]k)$", r"\2\1", rule)
            if canonical in severities:
                faults.add(child.place, show_path((*path, rule)), f"{canonical} is given twice; keep one")
            severities[canonical] = value
        return severities

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        schema = self.severity.json_schema()
        return {"type": "object", "patternProperties": {self._pattern: schema}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class FractionPair:
    """Two fractions of at least 0 and below 1, the smaller first."""

    expected: str = "a pair of fractions of at least 0 and below 1, the smaller first, for example [0.0, 0.5]"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`; the value is a tuple of two floats."""
        values = [child.value for child in item.value] if isinstance(item.value, list) else []
        numbers = [float(value) for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)
                   and 0 <= value < 1]  # fmt: skip
        if len(values) != 2 or len(numbers) != 2 or numbers[0] > numbers[1]:
            return reject(item, path, faults, self.expected)
        return numbers[0], numbers[1]

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        fraction = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
        return {"type": "array", "items": fraction, "minItems": 2, "maxItems": 2}
