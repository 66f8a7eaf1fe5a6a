"""``accumcheck upgrade``: the gate before another release of transformers, or of any package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.compare import ALLOW_DRIFT_HELP
from accumcheck.cli.deliver import deliver
from accumcheck.cli.no_programs import NoPrograms
from accumcheck.cli.run import ALLOW_SKIPPED_HELP, QUIET_HELP, SET_HELP, tell
from accumcheck.report.registry import FORMAT_HELP, OUTPUT_HELP

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.runfolder.events import Event

CONFIGS_HELP = "Configurations (YAML), or folders of them (every .yaml file). Repeatable."
TO_HELP = (
    "The new side: a transformers release, latest, or any package: 'trl==1.16.0', 'trl==latest', a wheel, "
    "'accelerate @ ./checkout', 'transformers @ git+file:///path@ref'. Repeatable."
)
FROM_HELP = "The old side, in the same forms. Default: what is installed here. Repeatable."
STRICT_HELP = "Require that the new side passes without warnings, not only that nothing got worse."
IF_NEW_HELP = "Exit with 0 at once if --to is not newer than --from."
WITH_HELP = "Also pin this package on both sides, in the same forms. Repeatable."


def upgrade(
    configs: Annotated[list[Path], typer.Argument(metavar="CONFIG...", help=CONFIGS_HELP, show_default=False)],
    to: Annotated[list[str], typer.Option("--to", metavar="WHAT", help=TO_HELP, show_default=False)],
    from_: Annotated[
        list[str] | None, typer.Option("--from", metavar="WHAT", help=FROM_HELP, show_default=False)
    ] = None,
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="WHAT", help=WITH_HELP)] = None,
    strict: Annotated[bool, typer.Option("--strict", help=STRICT_HELP)] = False,
    if_new: Annotated[bool, typer.Option("--if-new", help=IF_NEW_HELP)] = False,
    allow_drift: Annotated[bool, typer.Option("--allow-drift", help=ALLOW_DRIFT_HELP)] = False,
    allow_skipped: Annotated[bool, typer.Option("--allow-skipped", help=ALLOW_SKIPPED_HELP)] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET_HELP)] = None,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    no_programs: NoPrograms = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=QUIET_HELP)] = False,
) -> None:
    """Compare two sets of packages, such as two releases: does a check get worse?

    Each check runs under the old side (--from) and the new side (--to), each in
    an isolated environment. The command fails only if a check gets worse.
    What fails on both sides is listed.

    Exit codes: 0 no check got worse; 1 a check got worse, or its reference
    loss or gradient changed (drift); with --strict also: the new side fails or
    warns; 2 usage or configuration error; 3 a side of a check could not be
    decided, or an environment could not be built; 130 interrupted.
    """
    from accumcheck.authors_code import check_no_programs
    from accumcheck.compare.asked import differing_packages, is_newer, plans, read_sides, resolve_sides
    from accumcheck.compare.upgrade import Names, run_upgrade
    from accumcheck.report import check_format, check_writable, show, write
    from accumcheck.report.documents.comparison import ComparisonDocument
    from accumcheck.report.progress import Progress

    check_format(format_)
    planned = plans(configs, set_ or [])
    check_no_programs([(one.check, Path(one.file.path)) for one in planned], set_ or [], refuse=no_programs)
    check_writable(output or [])
    asked = read_sides(from_ or [], to, with_ or [])
    with Progress(quiet=quiet) as progress:
        old, new = resolve_sides(asked, progress.message)
        if if_new and not is_newer(old, new):
            typer.echo(f"nothing new: {new.request} is not newer than what is in use; nothing was run")
            raise typer.Exit(0)

        def follow(check: CheckConfig, event: Event) -> None:
            tell(progress, check)(event)

        comparison = run_upgrade(
            planned,
            old,
            new,
            Names.of(differing_packages(old, new) or [(one.name, one.label, one.label) for one in new.pins.values()]),
            allow_drift=allow_drift,
            allow_skipped=allow_skipped,
            strict=strict,
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
