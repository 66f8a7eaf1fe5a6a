"""``accumcheck compare``: two saved reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from accumcheck.cli.deliver import deliver
from accumcheck.cli.run import FORMAT_HELP, OUTPUT_HELP

ALLOW_DRIFT_HELP = "Let the reference move: the same weights and data may give another loss or gradient."


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="The report to hold the other against.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="The report that must be no worse.")],
    allow_drift: Annotated[bool, typer.Option("--allow-drift", help=ALLOW_DRIFT_HELP)] = False,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
) -> None:
    """Compare two saved reports of one check; runs nothing.

    Exit codes: 0 nothing got worse; 1 the new report fails where the old
    one did not, or its reference drifts; 2 unreadable, or reports of two
    checks; 3 one of the two could not be decided.
    """
    from accumcheck.compare.upgrade import pair_of
    from accumcheck.record.comparison import Comparison
    from accumcheck.report import check_format, check_writable
    from accumcheck.report.pairs import show, write
    from accumcheck.report.read_json import read_report

    check_format(format_)
    check_writable(output or [])
    pair = pair_of(str(new), read_report(old), read_report(new), gate=False, allow_drift=allow_drift)
    title = f"accumcheck compare: {old} -> {new}"
    comparison = Comparison(title, "old", "new", (pair,), pair.exit_code, allow_drift, gate=False)
    deliver(
        comparison.exit_code,
        lambda: show(comparison, format_, sys.stdout),
        output,
        lambda path: write(comparison, path),
    )
