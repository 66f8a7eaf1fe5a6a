"""The report as JSON: the structure that other programs read. Its keys are those of `accumcheck.record.Report`."""

from __future__ import annotations

from typing import Any

from accumcheck.record import Report
from accumcheck.redaction import redacted
from accumcheck.saved.write import plain, to_json


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report made of JSON types only, without secrets, its keys in the order of the documentation."""
    made: dict[str, Any] = plain(redacted(report))
    return made


def report_to_json(report: Report) -> str:
    """The report as JSON text, ASCII only, ending in a line break."""
    return to_json(redacted(report))
