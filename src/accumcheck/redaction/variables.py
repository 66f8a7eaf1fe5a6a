"""The values of environment variables with a secret's name: a program may print one anywhere."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from accumcheck.redaction.names import is_secret_name, is_secret_value

SHORTEST = 8
"""Characters; a shorter value may be a word of any text."""
_SHORTEST_OF_ONE_KIND = 16
"""The same for only letters or only digits: ``password`` and ``12345678`` stay readable if they are not secrets."""


def secret_values(environment: Mapping[str, str] | None = None) -> re.Pattern[str] | None:
    """A pattern for the secret values of an environment (default: this process's), also as JSON and URLs write them.

    Returns:
        None if there are none.
    """
    given = os.environ if environment is None else environment
    return _pattern(
        frozenset(value.strip() for name, value in given.items() if is_secret_name(name) and _hides(name, value))
    )


def _hides(name: str, value: str) -> bool:
    value = value.strip()
    kinds = {"letter" if one.isalpha() else "digit" if one.isdigit() else "other" for one in value}
    shortest = SHORTEST if len(kinds) > 1 else _SHORTEST_OF_ONE_KIND
    return len(value) >= shortest and is_secret_value(name, value) and not _is_file(value)


def _is_file(value: str) -> bool:
    """Whether the variable only says where the secret is kept."""
    if "\n" in value or not value.startswith(("/", "~")):
        return False
    try:
        return Path(value).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


@lru_cache(maxsize=8)
def _pattern(values: frozenset[str]) -> re.Pattern[str] | None:
    written = {form for value in values for form in (value, json.dumps(value)[1:-1], repr(value)[1:-1], quote(value))}
    longest_first = sorted(written, key=lambda value: (-len(value), value))
    return re.compile("|".join(map(re.escape, longest_first))) if values else None
