"""``accumcheck show``: a saved report again, in any format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from accumcheck.cli.deliver import deliver
from accumcheck.report.registry import FORMAT_HELP, OUTPUT_HELP

REPORT_HELP = "A report saved with -o FILE.json by run, upgrade, compare, bisect, survey or selftest."
EXPLAIN_HELP = "Also show where each tolerance comes from. Only for a report of accumcheck run."


def show(
    report: Annotated[Path, typer.Argument(metavar="REPORT.json", help=REPORT_HELP, show_default=False)],
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    explain_tolerances: Annotated[bool, typer.Option("--explain-tolerances", help=EXPLAIN_HELP)] = False,
) -> None:
    """Show a saved report again, in any format; runs nothing.

    A report whose verdicts do not follow from its own numbers and findings
    is refused.

    Exit codes: 0 shown, whatever its verdict; 2 usage error, or the report
    cannot be read or contradicts itself; 3 it could not be written in full.
    """
    from accumcheck.cli.saved_document import saved_document
    from accumcheck.report import check_format, check_writable, write
    from accumcheck.report import show as print_report

    check_format(format_)
    document = saved_document(report, explain_tolerances=explain_tolerances)
    check_writable(output or [])
    deliver(0, lambda: print_report(document, format_, sys.stdout), output, lambda path: write(document, path))
