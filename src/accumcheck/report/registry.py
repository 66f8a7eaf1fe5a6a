"""All formats, and everything that is derived from them: names, extensions, help and error messages.

Every module in `accumcheck.report.formats` with a `FORMAT` is a format. The default comes first, the others by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from accumcheck.errors import ConfigError
from accumcheck.report import formats
from accumcheck.report.format import Format

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT = "table"
"""The format without ``--format``."""


def _found() -> Mapping[str, Format]:
    names = [f"{formats.__name__}.{module.name}" for module in pkgutil.iter_modules(formats.__path__)]
    found: list[Format] = [importlib.import_module(name).FORMAT for name in names]
    return {one.name: one for one in sorted(found, key=lambda one: (one.name != DEFAULT, one.name))}


def either(options: Iterable[str]) -> str:
    """``a, b or c``."""
    *others, last = options
    return f"{', '.join(others)} or {last}" if others else last


FORMATS = _found()
"""Every format by its name."""

OUTPUT_FORMATS = tuple(name for name, one in FORMATS.items() if one.for_output)
"""The names that ``--format`` accepts."""

FILE_NAMES = {one.file_name: name for name, one in FORMATS.items() if one.file_name}
"""The format of an ``--output`` file that goes by its whole name."""

EXTENSIONS = {one.extension: name for name, one in FORMATS.items() if one.extension}
"""The format of an ``--output`` file by its extension."""

FORMAT_HELP = f"What goes to standard output: {either(OUTPUT_FORMATS)}."

OUTPUT_HELP = "Also write the report to this file; format chosen by the extension: {}. Repeatable.".format(
    either(
        f"{ending}{f' ({name})' if ending != f'.{name}' else ''}"
        for ending, name in [*EXTENSIONS.items(), *((file, FORMATS[name].title) for file, name in FILE_NAMES.items())]
    )
)


def check_format(name: str) -> None:
    """Check that ``--format`` was given a format that exists.

    Raises:
        ConfigError: it was not; the text lists the existing ones.
    """
    if name not in OUTPUT_FORMATS:
        raise ConfigError(f"--format {name}: no such format; use {either(OUTPUT_FORMATS)}")


def format_of(path: Path) -> str:
    """The name of the format for a file's whole name, or for its extension.

    Raises:
        ConfigError: no format has this extension; the text lists the existing ones.
    """
    if path.name.lower() in FILE_NAMES:
        return FILE_NAMES[path.name.lower()]
    try:
        return EXTENSIONS[path.suffix.lower()]
    except KeyError:
        found = f"no report format has the extension {path.suffix}" if path.suffix else "the file name has no extension"
        raise ConfigError(f"{path}: {found}; use {either(EXTENSIONS)}") from None
