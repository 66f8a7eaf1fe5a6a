"""The report of a check as JSON: written, described, and read back from an untrusted file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from accumcheck.errors import ConfigError
from accumcheck.record import SCHEMA_VERSION, Report
from accumcheck.redaction import redacted
from accumcheck.saved.file import read_text
from accumcheck.saved.parse import parse
from accumcheck.saved.write import plain, to_json

_VERSION = re.compile(r"\d{1,4}\.\d{1,4}", re.ASCII)


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report in JSON types, without secrets, its keys in the order of the documentation."""
    made: dict[str, Any] = plain(redacted(report))
    return made


def report_to_json(report: Report) -> str:
    """The report as JSON text, ASCII only, ending in a line break."""
    return to_json(redacted(report))


def report_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) that every report of this version satisfies."""
    from accumcheck.saved.schema import schema_of

    return schema_of(Report, "accumcheck report")


def read_report(path: Path) -> Report:
    """The report in a JSON file that ``accumcheck run -o report.json`` has written.

    Raises:
        ConfigError: the file cannot be read, is not a report, has a schema that this version does not know, or
            contradicts itself; each line of the text begins with the file's path.
    """
    from accumcheck.saved.consistent import check_consistent

    text = read_text(path)
    try:
        report = report_from_json(text)
        check_consistent(report)
        return redacted(report)
    except ConfigError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error


def report_from_json(text: str) -> Report:
    """The inverse of `report_to_json`. Unknown keys are ignored.

    Raises:
        ConfigError: the text is not valid JSON, not a report, or has another major version of the schema.
    """
    from accumcheck.saved.read import record_from

    found = parse(text)
    version = found.get("schema_version") if isinstance(found, dict) else None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ConfigError("not a report: expected a JSON object with schema_version")
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise ConfigError(f"a report of schema version {version}; this accumcheck reads {SCHEMA_VERSION}")
    return record_from(Report, found)
