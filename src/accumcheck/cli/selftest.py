"""``accumcheck selftest``: the product's own proof."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from accumcheck.selftest.run import Outcome

FORMATS = ("table", "json")


def selftest(
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="What goes to standard output: table or json.")
    ] = "table",
) -> None:
    """Plant known faults in a real Trainer on the CPU: each must be caught and named, and clean runs must pass.

    Exit codes: 0 all hold; 1 one does not; 3 a run could not be decided.
    """
    from accumcheck.selftest.run import run_selftest
    from accumcheck.selftest.show import line, summary, title

    if format_ not in FORMATS:
        raise ConfigError(f"--format {format_}: no such format; use {' or '.join(FORMATS)}")
    table = format_ == "table"
    if table:
        typer.echo(title())
    outcomes: list[Outcome] = []
    for outcome in run_selftest():
        outcomes.append(outcome)
        typer.echo(line(outcome), err=not table)
        sys.stdout.flush()
    if table:
        typer.echo(summary(outcomes))
    else:
        typer.echo(json.dumps([outcome.as_dict() for outcome in outcomes], indent=2))
    if not all(outcome.held for outcome in outcomes):
        undecided = any(outcome.report.exit_code == 3 for outcome in outcomes)
        raise typer.Exit(1 if any(outcome.wrong for outcome in outcomes) or not undecided else 3)
