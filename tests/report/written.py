"""Records as the formats write them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from accumcheck import report
from accumcheck.record import Report
from accumcheck.record.bisection import Bisection
from accumcheck.record.comparison import Comparison
from accumcheck.record.survey import Survey
from accumcheck.report.document import Document
from accumcheck.report.documents.bisection import BisectionDocument
from accumcheck.report.documents.check import CheckDocument
from accumcheck.report.documents.comparison import ComparisonDocument
from accumcheck.report.documents.selftest import SelftestDocument
from accumcheck.report.documents.survey import SurveyDocument
from accumcheck.selftest.recorded import recorded
from accumcheck.selftest.run import Outcome

Record = Report | Comparison | Bisection | Survey | list[Outcome]


def document(record: Record, **options: Any) -> Document:
    if isinstance(record, Report):
        return CheckDocument(record, **options)
    if isinstance(record, Comparison):
        return ComparisonDocument(record)
    if isinstance(record, Bisection):
        return BisectionDocument(record)
    if isinstance(record, Survey):
        return SurveyDocument(record)
    return SelftestDocument(list(map(recorded, record)))


def text(record: Record, name: str) -> str:
    return report.text_of(document(record), name)


def show(record: Record, name: str, stream: Any, **options: Any) -> None:
    report.show(document(record, **options), name, stream)


def shown(record: Record, name: str, **options: Any) -> str:
    stream = io.StringIO()
    show(record, name, stream, **options)
    return stream.getvalue()


def write(record: Record, path: Path) -> None:
    report.write(document(record), path)
