"""JSON text as JSON types, strictly: text that two readers could understand differently is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from accumcheck.errors import ConfigError
from accumcheck.saved.not_json import what_it_is

DEEPEST = 100
"""Maximum nesting of lists and objects. A report has fewer than ten; an inline model configuration may have more."""

_LONG_NUMBER = re.compile(r"[\s:,\[]-?\d{301}")
"""More digits than a float has before its point; reading a very long number would take minutes."""
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJsonError(ConfigError):
    """A text is not JSON. ``found``: what it is, in a few words that follow "found"."""

    def __init__(self, found: str) -> None:
        super().__init__(f"not valid JSON: found {found}")
        self.found = found


def parse(text: str) -> Any:
    """Read JSON text.

    Raises:
        NotJsonError: it is not JSON.
        ConfigError: it is nested too deeply, has a key twice, or an invalid number or character; the text is one line.
    """
    if _LONG_NUMBER.search(text):
        raise ConfigError("not valid JSON: a number of more than 300 digits")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except RecursionError:
        raise ConfigError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise NotJsonError(what_it_is(text, error)) from None
    except ValueError as error:
        raise ConfigError(f"not valid JSON: {error}") from None
    _check_depth(value)
    if _ESCAPED_SURROGATE.search(text):
        _check_characters(value)
    return value


_TOO_DEEP = f"more than {DEEPEST} levels of lists and objects"


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one) if isinstance(inner, (list, dict))]
        if not level:
            return
    raise ConfigError(_TOO_DEEP)


def _inside(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [*value.values()] if isinstance(value, dict) else ()


def _check_characters(value: Any) -> None:
    """Half a surrogate pair can be written in JSON, but it is not a character and could not be printed."""
    if isinstance(value, str) and _SURROGATE.search(value):
        raise ConfigError(f"{ascii(value)[:60]} contains half a surrogate pair")
    if isinstance(value, dict):
        for key in value:
            _check_characters(key)
    for one in _inside(value):
        _check_characters(one)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:60]!r} appears twice in an object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number; reports write it as a string")
