"""The report in each format, on standard output and in files; no format ever sees a secret.

A format is a function from `Report` to text in a module of its own, and one entry in `FORMATS` (for ``--format``) or
`FILE_FORMATS` (for ``--output``); a file ending that means it, one entry in `accumcheck.report.files.ENDINGS`.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from accumcheck.errors import ConfigError
from accumcheck.redaction import redacted
from accumcheck.report import as_json, github, html, junit, markdown, table
from accumcheck.report.files import ENDINGS, check_writable, format_of, save
from accumcheck.report.streams import console_for, put
from accumcheck.report.words import either

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from accumcheck.record import Report

__all__ = ["ENDINGS", "FILE_FORMATS", "FORMATS", "check_format", "check_writable", "format_of", "show", "write"]

FORMATS: dict[str, Callable[[Report], str]] = {
    "table": table.text,
    "json": as_json.report_to_json,
    "markdown": markdown.text,
    "junit": junit.text,
    "github": github.text,
}
"""The formats by the name that ``--format`` takes; each gives the whole text, ending in a line break."""

FILE_FORMATS: dict[str, Callable[[Report], str]] = {
    **{name: FORMATS[name] for name in ("table", "json", "markdown", "junit")},
    "html": html.text,
}
"""The formats of files, by the names in `ENDINGS`."""


def check_format(name: str) -> None:
    """Check that ``--format`` was given a format that exists.

    Raises:
        ConfigError: it was not; the text names those that exist.
    """
    if name not in FORMATS:
        raise ConfigError(f"--format {name}: no such format; use {either(FORMATS)}")


def show(report: Report, name: str, stream: IO[str], *, explain_tolerances: bool = False) -> None:
    """Print a report in the format ``name`` (a key of `FORMATS`); only a table on a terminal is in colour.

    With ``github``, the report in Markdown also goes to the summary of the workflow's step.
    ``explain_tolerances``: a table says as well where the tolerances come from. JSON always does.
    """
    report = redacted(report)
    if name == "table":
        table.render(report, console_for(stream), explain_tolerances)
    else:
        put(FORMATS[name](report), stream)
    if name == "github":
        said = github.add_to_summary(FORMATS["markdown"](report))
        put(said, stream)


def write(report: Report, path: Path) -> None:
    """Write a report to a file in the format of its ending: the whole file, or the file as it was before.

    Raises:
        ConfigError: the ending is unknown.
        AccumcheckError: the file could not be written, a full disk for example.
    """
    save(FILE_FORMATS[format_of(path)](redacted(report)), path)
