"""The document of any saved report, for every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accumcheck.errors import ConfigError
from accumcheck.report.document import Document

LARGEST = 64 * 2**20
"""The largest file in bytes. A comparison has two reports per configuration."""


def saved_document(path: Path, *, explain_tolerances: bool = False) -> Document:
    """The document of a saved report of any kind.

    Args:
        path: a JSON file.
        explain_tolerances: also explain where the tolerances of a check come from.

    Raises:
        ConfigError: the file cannot be read, is not a report that this version knows, contradicts itself, or has no
            tolerances to explain; each line begins with the path of the file.
    """
    from accumcheck.report.documents.check import CheckDocument
    from accumcheck.saved.json_file import read_json
    from accumcheck.saved.kinds import ANY
    from accumcheck.saved.places import under

    found = read_json(path, ANY, LARGEST)
    with under(str(path), ": "):
        document = _document(found, explain_tolerances=explain_tolerances)
        if explain_tolerances and not isinstance(document, CheckDocument):
            raise ConfigError("--explain-tolerances is for a report of accumcheck run only")
        return document


def _document(found: Any, *, explain_tolerances: bool) -> Document:
    """The document of this kind of report."""
    from accumcheck.saved.kinds import COMPARISON, SEARCH, SELFTEST, SURVEY, kind_of

    kind = kind_of(found)
    if kind == SELFTEST:
        from accumcheck.report.documents.selftest import SelftestDocument
        from accumcheck.saved.selftests import selftest_from

        return SelftestDocument(selftest_from(found))
    if kind == SURVEY:
        from accumcheck.report.documents.survey import SurveyDocument
        from accumcheck.saved.surveys import survey_from

        return SurveyDocument(survey_from(found))
    if kind == COMPARISON:
        from accumcheck.compare.read import comparison_from
        from accumcheck.report.documents.comparison import ComparisonDocument

        return ComparisonDocument(comparison_from(found))
    if kind == SEARCH:
        from accumcheck.report.documents.bisection import BisectionDocument
        from accumcheck.saved.bisections_read import bisection_from

        return BisectionDocument(bisection_from(found))
    from accumcheck.report.documents.check import CheckDocument
    from accumcheck.saved.reports import report_from

    return CheckDocument(report_from(found), explain_tolerances=explain_tolerances)
