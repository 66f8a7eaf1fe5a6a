"""``accumcheck compare``: two saved reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from accumcheck.cli.deliver import deliver
from accumcheck.report.registry import FORMAT_HELP, OUTPUT_HELP

ALLOW_DRIFT_HELP = "Allow the reference loss or gradient to change for the same weights and data."
ALLOW_MISSING_HELP = "Do not compare splits that NEW.json lacks or skipped; without this, they cause exit code 3."


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="The older report.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="The newer report. It must not be worse.")],
    allow_drift: Annotated[bool, typer.Option("--allow-drift", help=ALLOW_DRIFT_HELP)] = False,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help=ALLOW_MISSING_HELP)] = False,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
) -> None:
    """Compare two saved reports of one check; runs nothing.

    A report whose verdicts do not follow from its own numbers and findings
    is refused.

    Exit codes: 0 nothing got worse; 1 the new report fails where the old one
    did not, or the reference loss or gradient changed (drift); 2 a report
    cannot be read or contradicts itself, or they are not of one check; 3 one
    of the two could not be decided, or the new one lacks a split of the old.
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
