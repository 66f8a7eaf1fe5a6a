"""Read a saved report from its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.errors import ConfigError
from accumcheck.report.as_json import report_from_json

if TYPE_CHECKING:
    from pathlib import Path

    from accumcheck.record import Report


def read_report(path: Path) -> Report:
    """The report in a JSON file that ``accumcheck run -o report.json`` has written.

    Raises:
        ConfigError: the file cannot be read, holds no report, or one of a schema that this version does not know; the
            text is one line that begins with the file's path.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: no report: not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        return report_from_json(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
