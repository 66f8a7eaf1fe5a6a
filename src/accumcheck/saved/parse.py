"""JSON text as JSON types, strictly: what two readers could take for two things is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from accumcheck.errors import ConfigError

DEEPEST = 100
"""Lists and objects inside each other. A report has fewer than ten; a model's inline configuration may have more."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(text: str) -> Any:
    """Read JSON text.

    Raises:
        ConfigError: it is not valid JSON, nests too deep, has a key twice, or a number or a character that there is
            none of; the text is one line.
    """
    _check_depth(text)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ConfigError("not valid JSON: too many brackets inside each other") from None
    except ValueError as error:
        raise ConfigError(f"not valid JSON: {error}") from None


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        depth += (first in "[{") - (first in "]}")
        if depth > DEEPEST:
            place = text.count("\n", 0, token.start()) + 1
            raise ConfigError(f"line {place}: more than {DEEPEST} lists and objects inside each other")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in an object")
    for one in (item for pair in pairs for item in pair):
        _check_characters(one)
    return found


def _check_characters(value: Any) -> None:
    """Half a surrogate pair can be written in JSON, but is no character: it could not be printed."""
    if isinstance(value, str) and _SURROGATE.search(value):
        raise ValueError(f"{ascii(value)[:60]} holds half a surrogate pair")
    if isinstance(value, list):
        for one in value:
            _check_characters(one)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number; reports write it as a string")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is out of the range of numbers")
    return value
