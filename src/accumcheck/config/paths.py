"""Files and directories that a configuration names: made absolute and checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accumcheck.config.faults import shorten
from accumcheck.config.messages import name_of
from accumcheck.config.model import CheckConfig
from accumcheck.config.tree import Keys, find
from accumcheck.declare.keys import Section, Text, keys_of
from accumcheck.declare.texts import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.config.faults import Faults
    from accumcheck.config.tree import Item
    from accumcheck.declare.keys import Located


def resolve_paths(tree: Item, plain: dict[str, Any], folder: Path, faults: Faults) -> None:
    """Make the paths in ``plain`` absolute, and record an error for those that are missing or cannot be read.

    Args:
        tree: where the values were written.
        plain: valid values, which are changed.
        folder: what a path in the file is relative to; one on the command line is relative to the working directory.
        faults: where errors are recorded.
    """
    for keys, kind in located(CheckConfig, ()):
        section: Any = plain
        for name in keys[:-1]:
            section = section.get(name) or {}
        text, item = section.get(keys[-1]), find(tree, keys)
        if text is None or item is None:
            continue
        before, function = text.rpartition(":")[::2] if kind == "function" else (text, "")
        if _is_path(before, kind):
            path = _existing(before, item, keys, folder, faults, kind)
            section[keys[-1]] = f"{path}:{function}" if kind == "function" else str(path)
    for keys in _command_lines(CheckConfig, ()):
        section = plain
        for name in keys[:-1]:
            section = section.get(name) or {}
        if words := section.get(keys[-1]):
            section[keys[-1]] = [_found(word, folder) for word in words]


def located(section: type[Section], path: Keys) -> Iterator[tuple[Keys, Located]]:
    """The keys of a section, itself at ``path``, that name a file, a directory or a function in a file."""
    for name, declared in keys_of(section).items():
        if declared.section is not None:
            yield from located(declared.section, (*path, name))
        elif (text := declared.find(Text)) is not None and text.located:
            yield (*path, name), text.located


def _command_lines(section: type[Section], path: Keys) -> Iterator[Keys]:
    for name, declared in keys_of(section).items():
        if declared.section is not None:
            yield from _command_lines(declared.section, (*path, name))
        elif declared.kind == Words:
            yield (*path, name)


def _found(word: str, folder: Path) -> str:
    """A word of a program's command line. A path that exists only in the configuration's folder becomes absolute.

    Programs search the working directory. Names without a folder or an extension, such as ``train``, are not paths.
    """
    flag, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if value.startswith("-") or not ("/" in value or Path(value).suffix):
        return word
    try:
        is_elsewhere = not Path(value).expanduser().exists() and (folder / value).exists()
    except (OSError, RuntimeError, ValueError):  # too long, of an unknown user, with a zero byte
        return word
    return f"{flag}{equals}{(folder / value).resolve()}" if is_elsewhere else word


def _is_path(text: str, kind: Located) -> bool:
    """Whether it is a path, and not a hub id (if a directory is allowed) or a module (if a Python file is allowed)."""
    if kind == "directory":
        return text.startswith(("./", "../", "/", "~")) or text in (".", "..")
    return kind in ("file", "program") or text.endswith(".py")


def _existing(text: str, item: Item, keys: Keys, folder: Path, faults: Faults, kind: Located) -> Path:
    directory = kind == "directory"
    base, other = (Path.cwd(), folder) if item.place.on_command_line else (folder, Path.cwd())
    if kind == "program" and not _is_file(base / text) and _is_file(other / text):
        base = other
    what = "directory" if directory else "file"
    name = name_of(item, keys)
    try:
        path = (base / Path(text).expanduser()).resolve()
        there = path.is_dir() if directory else path.is_file()
        exists, readable = path.exists(), os.access(path, os.R_OK)
        elsewhere = (other / Path(text).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        faults.add(item.place, name, f"found {shorten(text)!r}, which is not a path: {reason}")
        return Path(text)
    shown = _shown(path)
    if not there:
        found = f"{shown} is not a {what}" if exists else f"there is no {what} {shown}"
        hint = "; a hub id is written without ./, ../, / or ~ in front" if directory else ""
        if kind == "program" and elsewhere != path:
            hint = f", nor {_shown(elsewhere)}; a path is relative to the configuration or else the working directory"
        faults.add(item.place, name, f"{found}{hint}")
    elif not readable:
        faults.add(item.place, name, f"{shown} cannot be read: permission denied")
    return path


def _shown(path: Path) -> str:
    return str(path) if str(path).isprintable() else repr(str(path))


def _is_file(path: Path) -> bool:
    try:
        return path.expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # an invalid path is reported when it is resolved
        return False
