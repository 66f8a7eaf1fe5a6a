"""Reads the JSON of a saved file. What the file holds instead is said, with what to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from accumcheck.errors import ConfigError
from accumcheck.saved.file import LARGEST, read_text
from accumcheck.saved.kinds import ANY, CHECK, Kind, kind_of, named
from accumcheck.saved.not_json import CONFIGURATION, CUT_OFF
from accumcheck.saved.parse import NotJsonError, parse
from accumcheck.saved.places import under

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path, expected: Kind, largest: int = LARGEST) -> Any:
    """The JSON in a file that holds a saved report of one kind, or with `ANY` of any kind.

    Args:
        path: the file.
        expected: the kind.
        largest: maximum size in bytes.

    Raises:
        ConfigError: the file cannot be read, or holds something else; one line that begins with the file's path. Its
            version and its values have not been checked.
    """
    try:
        text = read_text(path, largest)
    except ConfigError as error:
        raise ConfigError(f"{error}; expected {expected.name} in JSON, {_written(expected)}") from None
    with under(str(path), ": "):
        try:
            found = parse(text)
        except NotJsonError as error:
            raise _unexpected(error.found, expected, _advice(error.found, path, expected)) from None
        kind = kind_of(found)
        if kind is None or expected not in (kind, ANY):
            raise _unexpected(named(found), expected, _advice(kind, path, expected))
        return found


def _unexpected(found: str, expected: Kind, advice: str) -> ConfigError:
    return ConfigError(f"found {found}, expected {expected.name} in JSON; {advice}")


def _written(expected: Kind) -> str:
    return f"written by {expected.writer} with -o FILE.json"


def _advice(found: Kind | str | None, path: Path, expected: Kind) -> str:
    if found == CONFIGURATION and expected in (ANY, CHECK):
        return f"to make one, use accumcheck run {shlex.quote(str(path))} -o report.json"
    give = f"give a file {_written(expected)}"
    if isinstance(found, Kind):
        return f"{give} (accumcheck show {shlex.quote(str(path))} shows this one)"
    if found is not None and found.startswith(CUT_OFF):
        return f"the file is incomplete: write it again, or {give}"
    return give
