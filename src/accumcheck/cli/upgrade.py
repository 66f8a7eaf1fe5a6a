"""``accumcheck upgrade``: the gate before another transformers release."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.compare import ALLOW_DRIFT_HELP
from accumcheck.cli.deliver import deliver
from accumcheck.cli.no_programs import NoPrograms
from accumcheck.cli.run import SET_HELP, tell
from accumcheck.report.registry import FORMAT_HELP, OUTPUT_HELP

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.runfolder.events import Event

CONFIGS_HELP = "Configurations (YAML), or folders: every .yaml file in them. Repeatable."
TO_HELP = "The candidate: a transformers release, or latest."
FROM_HELP = "The release in use; without it, the one that is installed here."
WITH_HELP = "Also pin this package in both environments, for example --with accelerate==1.4.0. Repeatable."
ALLOW_SKIPPED_HELP = "A split skipped for lack of GPUs does not cause exit code 3."


def upgrade(
    configs: Annotated[list[Path], typer.Argument(metavar="CONFIG...", help=CONFIGS_HELP, show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help=TO_HELP, show_default=False)],
    from_: Annotated[str | None, typer.Option("--from", metavar="VERSION", help=FROM_HELP, show_default=False)] = None,
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="NAME==VERSION", help=WITH_HELP)] = None,
    allow_drift: Annotated[bool, typer.Option("--allow-drift", help=ALLOW_DRIFT_HELP)] = False,
    allow_skipped: Annotated[bool, typer.Option("--allow-skipped", help=ALLOW_SKIPPED_HELP)] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET_HELP)] = None,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    no_programs: NoPrograms = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")] = False,
) -> None:
    """Run checks under two transformers releases, each isolated, and compare.

    Exit codes: 0 every check passes under the candidate; 1 one fails, or its
    reference drifts; 2 usage or configuration error; 3 one could not be
    decided under both releases, or an environment not be built; 130
    interrupted.
    """
    from accumcheck.authors_code import check_no_programs
    from accumcheck.compare.asked import plans, sides
    from accumcheck.compare.upgrade import run_upgrade
    from accumcheck.report import check_format, check_writable, show, write
    from accumcheck.report.documents.comparison import ComparisonDocument
    from accumcheck.report.progress import Progress

    check_format(format_)
    planned = plans(configs, set_ or [])
    check_no_programs([(one.check, Path(one.file.path)) for one in planned], set_ or [], refuse=no_programs)
    check_writable(output or [])
    old, new = sides(from_, to, with_ or [])
    with Progress(quiet=quiet) as progress:

        def follow(check: CheckConfig, event: Event) -> None:
            tell(progress, check)(event)

        comparison = run_upgrade(
            planned,
            old,
            new,
            allow_drift=allow_drift,
            allow_skipped=allow_skipped,
            say=progress.message,
            on_event=follow,
        )
    document = ComparisonDocument(comparison)
    deliver(
        comparison.exit_code,
        lambda: show(document, format_, sys.stdout),
        output,
        lambda path: write(document, path),
    )
