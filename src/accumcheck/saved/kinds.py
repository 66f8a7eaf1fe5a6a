"""The kinds of saved files, and how each is recognised in JSON that is not trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file holds, in words that follow "found" or "expected"; ``writer``: the commands that write it."""

    name: str
    writer: str


CHECK = Kind("a report of accumcheck run", "accumcheck run")
COMPARISON = Kind("a comparison", "accumcheck upgrade or compare")
SEARCH = Kind("a search", "accumcheck bisect")
SURVEY = Kind("a survey", "accumcheck survey")
SELFTEST = Kind("a self-test", "accumcheck selftest")
ANY = Kind("a saved report", "accumcheck run, upgrade, compare, bisect, survey or selftest")
"""Any of them."""

_BY_KEY = (("classes", SURVEY), ("results", COMPARISON), ("candidates", SEARCH), ("schema_version", CHECK))
"""A key that only this kind has; the last one all have."""
_OTHER_TOOLS = (
    ({"runs", "$schema"}, "a SARIF report"),
    ({"config", "plan"}, "the plan of accumcheck validate"),
    ({"$schema", "$defs"}, "a JSON Schema"),
)
_SHOWN_KEYS = 3


def kind_of(found: Any) -> Kind | None:
    """The kind of a saved file; None for other JSON."""
    if isinstance(found, list):
        return SELFTEST if found and all(isinstance(one, dict) and "case" in one for one in found) else None
    if not isinstance(found, dict):
        return None
    return next((kind for key, kind in _BY_KEY if key in found), None)


def named(found: Any) -> str:
    """What JSON is, in a few words: ``a survey``, ``a JSON object with the keys a, b and c``."""
    kind = kind_of(found)
    if kind is not None:
        return kind.name
    if isinstance(found, list):
        return "a JSON list" if found else "an empty JSON list"
    if not isinstance(found, dict):
        return "null" if found is None else "a JSON text" if isinstance(found, str) else "a JSON number or truth value"
    other = next((name for keys, name in _OTHER_TOOLS if keys <= set(found)), None)
    if other is not None:
        return other
    if not found:
        return "an empty JSON object"
    keys = [ascii(key)[1:-1][:20] for key in found]
    shown, more = ", ".join(keys[:_SHOWN_KEYS]), len(keys) - _SHOWN_KEYS
    return f"a JSON object with the key{'' if len(keys) == 1 else 's'} {shown}{f' and {more} more' if more > 0 else ''}"
