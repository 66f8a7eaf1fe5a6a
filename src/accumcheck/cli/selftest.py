"""``accumcheck selftest``: the product's own proof."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.deliver import deliver
from accumcheck.report.registry import FORMAT_HELP, OUTPUT_HELP

if TYPE_CHECKING:
    from accumcheck.record.selftest import SelftestCase


def selftest(
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
) -> None:
    """Test accumcheck itself: it must find and name each planted fault, and pass clean runs.

    Runs on the CPU, with a real Trainer and a training loop; takes minutes.

    Exit codes: 0 every case is right; 1 a case is wrong; 3 a run could not
    be decided.
    """
    from accumcheck.report import check_format, check_writable, show, write
    from accumcheck.report.documents.selftest import SelftestDocument, line, summary, title
    from accumcheck.report.streams import put
    from accumcheck.selftest.recorded import recorded
    from accumcheck.selftest.run import run_selftest

    check_format(format_)
    check_writable(output or [])
    table = format_ == "table"
    if table:
        typer.echo(title())
    cases: list[SelftestCase] = []
    for one in map(recorded, run_selftest()):
        cases.append(one)
        typer.echo(line(one), err=not table)

    document = SelftestDocument(cases)

    def finish() -> None:
        if table:
            put(f"{summary(cases)}\n", sys.stdout)
        else:
            show(document, format_, sys.stdout)

    deliver(document.exit_code, finish, output, lambda path: write(document, path))
