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
        joined_by: the text between the place and the line.

    Raises:
        ConfigError: the same error, with the place.
    """
    try:
        yield
    except ConfigError as error:
        raise ConfigError("\n".join(f"{place}{joined_by}{line}" for line in str(error).splitlines())) from error
