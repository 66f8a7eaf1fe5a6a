"""The files and folders that a checked configuration names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from accumcheck.config.model import CheckConfig
from accumcheck.config.paths import located


def named_paths(check: CheckConfig) -> list[Path]:
    """The files and directories that a configuration names, which `resolve_paths` has made absolute."""
    found, plain = [], check.to_dict()
    for keys, kind in located(CheckConfig, ()):
        value: Any = plain
        for name in keys:
            value = (value or {}).get(name)
        if isinstance(value, str) and Path(value).is_absolute():
            found.append(Path(value.rpartition(":")[0] if kind == "function" else value))
    return found


def named_files(check: CheckConfig) -> list[Path]:
    """The files and folders that a configuration names.

    Its paths, and every other text that is an existing file, or is one after a ``=``: words of a program's command
    line, DeepSpeed's settings. A folder there may be one that the program writes.
    """
    found = named_paths(check)
    for word in _texts(check.to_dict()):
        for text in (word, word.partition("=")[2]):
            if text and _is_file(Path(text)):
                found.append(Path(text).resolve())
    return list(dict.fromkeys(found))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a configuration, whatever its key."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no path, for example too long
        return False
