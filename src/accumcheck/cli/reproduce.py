"""``accumcheck reproduce``: a short script without accumcheck that shows a finding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.no_programs import NoPrograms
from accumcheck.cli.run import QUIET_HELP

if TYPE_CHECKING:
    from accumcheck.record import Report

REPORT_HELP = "A report saved by accumcheck run -o report.json."
FINDING_HELP = "The id of the finding, from the report. Default: the first that fails."
OUTPUT_HELP = "Write the script (with --issue: the text) to this file. Default: standard output."
ISSUE_HELP = "Write a bug report: what, where, versions, numbers, and the script."


def reproduce(
    report: Annotated[Path, typer.Argument(metavar="REPORT.json", help=REPORT_HELP, show_default=False)],
    finding: Annotated[str | None, typer.Option("--finding", metavar="ID", help=FINDING_HELP)] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    issue: Annotated[bool, typer.Option("--issue", help=ISSUE_HELP)] = False,
    no_programs: NoPrograms = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=QUIET_HELP)] = False,
) -> None:
    """Write the smallest script that shows a finding, and run it.

    The script imports torch and the stack, but not accumcheck. It has the
    smallest model, batch and split that still show the fault, and prints the
    right value next to the wrong one. It exits with 1 while the fault is
    there, with 0 once it is fixed.

    The script is run first, in the environment of the report; its output is
    added at its end. For a program of your own, the smallest configuration
    that shows the fault is written instead.

    Exit codes: 0 written; 2 usage error, or the report cannot be read; 3 no
    script shows the fault; 130 interrupted.
    """
    from accumcheck.report.progress import Progress
    from accumcheck.reproduce.case import NotReproducedError
    from accumcheck.reproduce.finding import chosen
    from accumcheck.reproduce.reproduce import reproduced
    from accumcheck.saved.reports import read_report

    read = read_report(report)
    about = chosen(read, finding)
    _check_output(output)
    if no_programs:
        _refuse_programs(read, report)
    with Progress(quiet=quiet) as progress:
        try:
            text = reproduced(read, about, as_issue=issue, say=progress.message)
        except NotReproducedError as error:
            typer.echo(f"accumcheck: {about.id} was not reproduced: {error}", err=True)
            raise typer.Exit(3) from error
    if output is None:
        typer.echo(text, nl=False)
        return
    from accumcheck.report.files import save

    save(text, output)
    typer.echo(f"accumcheck: wrote {output}", err=True)


def _refuse_programs(report: Report, path: Path) -> None:
    """Refuse a report whose configuration runs code of its author's.

    Raises:
        ConfigError: it does, or it cannot be read.
    """
    from accumcheck.authors_code import check_no_code_of_author, code_of_author
    from accumcheck.config.faults import Place
    from accumcheck.reproduce.programs import configuration_of

    check_no_code_of_author((code, Place(str(path))) for code in code_of_author(configuration_of(report)))


def _check_output(path: Path | None) -> None:
    """Check that the file can be written, before anything is run.

    Raises:
        ConfigError: it cannot.
    """
    from accumcheck.errors import ConfigError

    if path is not None and (path.is_dir() or not path.resolve().parent.is_dir()):
        what = "is a folder; name a file in it" if path.is_dir() else "its folder does not exist; create it first"
        raise ConfigError(f"{path}: {what}")
