"""``accumcheck compare``: two saved reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from accumcheck.cli.deliver import deliver
from accumcheck.report.registry import FORMAT_HELP, OUTPUT_HELP

ALLOW_DRIFT_HELP = "Allow the reference loss or gradient to change for the same weights and data."
ALLOW_MISSING_HELP = "Allow splits that NEW.json lacks or skipped; they are then not compared."


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="The older report.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="The newer report, which must not be worse.")],
    allow_drift: Annotated[bool, typer.Option("--allow-drift", help=ALLOW_DRIFT_HELP)] = False,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help=ALLOW_MISSING_HELP)] = False,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
) -> None:
    """Compare two saved reports of one check; runs nothing.

    Both reports are checked first: a report whose verdicts do not follow
    from its numbers and findings is refused.

    Exit codes: 0 nothing got worse; 1 the new report fails where the old
    one did not, or its reference drifts; 2 unreadable, contradictory, or
    reports of two checks; 3 one of the two could not be decided, or the
    new one has no result for a split of the old one.
    """
    from accumcheck.compare.upgrade import pair_of
    from accumcheck.record.comparison import Comparison
    from accumcheck.report import check_format, check_writable, show, write
    from accumcheck.report.documents.comparison import ComparisonDocument
    from accumcheck.saved.reports import read_report

    check_format(format_)
    check_writable(output or [])
    reports = read_report(old), read_report(new)
    pair = pair_of(str(new), *reports, strict=False, allow_drift=allow_drift, allow_missing=allow_missing)
    title = f"accumcheck compare: {old} -> {new}"
    comparison = Comparison(
        title, "old", "new", (pair,), pair.exit_code, allow_drift, gate=False, allow_missing=allow_missing
    )
    document = ComparisonDocument(comparison)
    deliver(
        comparison.exit_code,
        lambda: show(document, format_, sys.stdout),
        output,
        lambda path: write(document, path),
    )
