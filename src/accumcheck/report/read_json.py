"""Read a saved report from its file. It is not trusted: every part of it is checked."""

from __future__ import annotations

from pathlib import Path

from accumcheck.errors import ConfigError
from accumcheck.record import SCHEMA_VERSION, Report
from accumcheck.saved.file import read_text
from accumcheck.saved.parse import parse


def read_report(path: Path) -> Report:
    """The report in a JSON file that ``accumcheck run -o report.json`` has written.

    Raises:
        ConfigError: the file cannot be read, holds no report, or one of a schema that this version does not know; each
            line of the text begins with the file's path.
    """
    text = read_text(path)
    try:
        return report_from_json(text)
    except ConfigError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error


def report_from_json(text: str) -> Report:
    """The inverse of `accumcheck.report.as_json.report_to_json`. Keys that this version does not know are ignored.

    Raises:
        ConfigError: the text is not valid JSON, holds no report, or a report of another major version of the schema.
    """
    from accumcheck.saved.read import record_from, short

    plain = parse(text)
    if not isinstance(plain, dict) or not isinstance(version := plain.get("schema_version"), str):
        raise ConfigError("not a report: a JSON object with schema_version was expected")
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise ConfigError(f"a report of schema version {short(version)}; this accumcheck reads {SCHEMA_VERSION}")
    return record_from(Report, plain)
