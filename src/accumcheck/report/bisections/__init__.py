"""A search over releases in each format: what ``accumcheck bisect`` shows and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.redaction import redacted
from accumcheck.report.bisections import as_json, html, lines, markdown
from accumcheck.report.files import format_of, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from accumcheck.record.bisection import Bisection

FILE_FORMATS: dict[str, Callable[[Bisection], str]] = {
    "table": lines.text,
    "json": as_json.text,
    "markdown": markdown.text,
    "html": html.text,
}
"""By the names of `accumcheck.report.FILE_FORMATS`. A search has no test cases, so it has no JUnit."""


def write(bisection: Bisection, path: Path) -> None:
    """Write a search to a file in the format of its ending: the whole file, or the file as it was before.

    Raises:
        ConfigError: the ending is unknown.
        AccumcheckError: the file could not be written.
    """
    save(FILE_FORMATS[format_of(path, FILE_FORMATS)](redacted(bisection)), path)
