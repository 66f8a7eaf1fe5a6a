"""The report of a check as JSON: written, described, and read back from an untrusted file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accumcheck.record import Report
from accumcheck.redaction import redacted
from accumcheck.saved.json_file import read_json
from accumcheck.saved.kinds import CHECK
from accumcheck.saved.parse import parse
from accumcheck.saved.places import under
from accumcheck.saved.versions import check_version
from accumcheck.saved.write import plain, to_json


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
    found = read_json(path, CHECK)
    with under(str(path), ": "):
        return report_from(found)


def report_from(found: Any) -> Report:
    """The report in JSON that is not trusted.

    Raises:
        ConfigError: it is not a report, has an unknown schema version, or contradicts itself.
    """
    from accumcheck.saved.consistent import check_consistent

    report = _unchecked(found)
    check_consistent(report)
    return redacted(report)


def report_from_json(text: str) -> Report:
    """The inverse of `report_to_json`. Unknown keys are ignored.

    Raises:
        ConfigError: the text is not valid JSON, not a report, or has another major version of the schema.
    """
    return _unchecked(parse(text))


def _unchecked(found: Any) -> Report:
    from accumcheck.saved.read import record_from

    check_version(found, "a report")
    return record_from(Report, found, CHECK)
