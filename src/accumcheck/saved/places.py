"""Errors in a part of a saved file, each with its place in front."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from accumcheck.errors import ConfigError


@contextlib.contextmanager
def under(place: str, joined_by: str = ".") -> Iterator[None]:
    """Put a place before every line of a `ConfigError`.

    Args:
        place: the path of a key, or a file.
        joined_by: the text between the place and a line that begins with a place of its own, ``verdict: found 1``.

    Raises:
        ConfigError: the same error, with the place.
    """
    try:
        yield
    except ConfigError as error:
        lines = str(error).splitlines()
        raise ConfigError("\n".join(f"{place}{joined_by if ': ' in line else ': '}{line}" for line in lines)) from error
