"""JSON: the record itself, for other programs. Only here reports become JSON text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.format import Format

if TYPE_CHECKING:
    from accumcheck.report.document import Document


def text(document: Document) -> str:
    """The whole record, ending in a line break."""
    return to_json(document.data())


def to_json(record: object) -> str:
    """A record as JSON text."""
    from accumcheck.record import Report
    from accumcheck.record.bisection import Bisection
    from accumcheck.record.comparison import Comparison
    from accumcheck.record.survey import Survey
    from accumcheck.saved.bisections import bisection_to_json
    from accumcheck.saved.comparisons import comparison_to_json
    from accumcheck.saved.reports import report_to_json
    from accumcheck.saved.surveys import survey_to_json
    from accumcheck.saved.write import to_json as saved_json

    if isinstance(record, Report):
        return report_to_json(record)
    if isinstance(record, Comparison):
        return comparison_to_json(record)
    if isinstance(record, Bisection):
        return bisection_to_json(record)
    if isinstance(record, Survey):
        return survey_to_json(record)
    return saved_json(record)


FORMAT = Format("json", text, extension=".json")
