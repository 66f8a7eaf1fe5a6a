"""Records as JSON types.

JSON has no NaN and no infinity. They are written as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, so that
the text is valid JSON and nothing is lost; null means that there is no value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from accumcheck.record import Split
from accumcheck.saved.entries import entries

NOT_FINITE: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""The numbers that JSON lacks, by the strings that are written for them."""


def plain(value: Any) -> Any:
    """A record, or a part of one, as JSON types; the keys in the order of the record's fields."""
    if isinstance(value, Split):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.key: plain(entry.of(value)) for entry in entries(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def to_json(record: Any) -> str:
    """A record as JSON text, ASCII only, ending in a line break."""
    return json.dumps(plain(record), indent=2, allow_nan=False) + "\n"
