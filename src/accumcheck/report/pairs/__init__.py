"""Two reports beside each other, in each format: what ``accumcheck upgrade`` and ``accumcheck compare`` show."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from accumcheck.redaction import redacted
from accumcheck.report.files import format_of, save
from accumcheck.report.github import add_to_summary
from accumcheck.report.pairs import as_json, github, html, junit, markdown, table
from accumcheck.report.streams import console_for, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from accumcheck.record.comparison import Comparison

FORMATS: dict[str, Callable[[Comparison], str]] = {
    "table": table.text,
    "json": as_json.text,
    "markdown": markdown.text,
    "junit": junit.text,
    "github": github.text,
}
"""By the names of `accumcheck.report.FORMATS`."""

FILE_FORMATS: dict[str, Callable[[Comparison], str]] = {**FORMATS, "html": html.text}
"""By the names of `accumcheck.report.FILE_FORMATS`."""


def show(comparison: Comparison, name: str, stream: IO[str]) -> None:
    """Print a comparison in a format; see `accumcheck.report.show`."""
    comparison = redacted(comparison)
    if name == "table":
        table.render(comparison, console_for(stream))
    else:
        put(FORMATS[name](comparison), stream)
    if name == "github":
        said = add_to_summary(markdown.text(comparison))
        put(said, stream)


def write(comparison: Comparison, path: Path) -> None:
    """Write a comparison to a file in the format of its ending: the whole file, or the file as it was before.

    Raises:
        ConfigError: the ending is unknown.
        AccumcheckError: the file could not be written.
    """
    save(FILE_FORMATS[format_of(path)](redacted(comparison)), path)
