"""``accumcheck run``: the check."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.deliver import deliver
from accumcheck.cli.no_programs import NoPrograms
from accumcheck.report.registry import FORMAT_HELP, OUTPUT_HELP

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.report.progress import Progress
    from accumcheck.runfolder.events import Event, OnEvent

TRANSFORMERS_HELP = (
    "Run under this transformers release (or: latest), in an isolated environment with the dependencies of its time."
)
WITH_HELP = (
    "Also pin this package in the isolated environment: accelerate==1.4.0, 'trl @ ./checkout', a wheel, "
    "'trl @ git+file:///path@ref'. Repeatable."
)
EXPLAIN_HELP = "Also show where each tolerance comes from. JSON always has this, under tolerances."
HOTFIX_HELP = (
    "Apply this hot-fix to the Trainer, and compare with a short run without it. accumcheck hotfix list shows them."
)
CONFIG_HELP = "The check's configuration (YAML)."
STRICT_HELP = "Treat warnings as failures (exit code 1)."
ALLOW_SKIPPED_HELP = "Do not exit with 3 if a split is skipped for lack of GPUs."
QUIET_HELP = "Show no progress on standard error."
IMPORTING = "importing torch and transformers"
SET_HELP = "Override one configuration key, for example --set steps=1. Repeatable."


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help=CONFIG_HELP, show_default=False)],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET_HELP)] = None,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    strict: Annotated[bool, typer.Option("--strict", help=STRICT_HELP)] = False,
    allow_skipped: Annotated[bool, typer.Option("--allow-skipped", help=ALLOW_SKIPPED_HELP)] = False,
    transformers: Annotated[
        str | None, typer.Option("--transformers", metavar="VERSION", help=TRANSFORMERS_HELP)
    ] = None,
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="WHAT", help=WITH_HELP)] = None,
    explain_tolerances: Annotated[bool, typer.Option("--explain-tolerances", help=EXPLAIN_HELP)] = False,
    hotfix: Annotated[str | None, typer.Option("--hotfix", metavar="NAME", help=HOTFIX_HELP)] = None,
    no_programs: NoPrograms = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=QUIET_HELP)] = False,
) -> None:
    """Train a few real steps under every split; compare loss and gradient.

    Exit codes: 0 every split passed; 1 a split diverges; 2 usage or
    configuration error, nothing was run; 3 could not be decided (a split
    crashed, hung, or was skipped); 130 interrupted.
    """
    from accumcheck.authors_code import check_no_programs
    from accumcheck.check import join_run, run_check
    from accumcheck.compare.hotfix_trial import run_with_hotfix
    from accumcheck.config.load import load_config
    from accumcheck.config.places import config_file
    from accumcheck.environments import build_wheel, environments, latest, parse_request
    from accumcheck.hotfixes import find_hotfix
    from accumcheck.report import check_format, check_writable, show, write
    from accumcheck.report.documents.check import CheckDocument
    from accumcheck.report.progress import Progress

    check_format(format_)
    overrides = [*(set_ or []), *([f"hotfix={find_hotfix(hotfix).name}"] if hotfix else [])]
    check = load_config(config, overrides)
    check_no_programs([(check, config)], overrides, refuse=no_programs)
    check_writable(output or [])
    request = parse_request(transformers, with_ or [], latest=latest, build=build_wheel)
    if check.launcher.node_rank > 0:
        with Progress(quiet=quiet) as progress, environments([request], say=progress.message) as (python,):
            progress.message(IMPORTING)
            events: list[Event] = []
            code = join_run(check, on_event=_both(tell(progress, check), events.append), python=python)
        for line in _own_errors(events):
            typer.echo(f"node {check.launcher.node_rank}: {line}", err=True)
        typer.echo(f"node {check.launcher.node_rank}: done; the report is on node 0", err=True)
        raise typer.Exit(code)
    with Progress(quiet=quiet) as progress, environments([request], say=progress.message) as (python,):
        progress.message(IMPORTING)
        alone = check.hotfix is None or check.launcher.nnodes > 1  # the other machines join one run
        run_one = run_check if alone else run_with_hotfix
        report = run_one(
            check, on_event=tell(progress, check), allow_skipped=allow_skipped, strict=strict, python=python
        )
    report = replace(report, config_file=config_file(config, overrides))
    deliver(
        report.exit_code,
        lambda: show(CheckDocument(report, explain_tolerances=explain_tolerances), format_, sys.stdout),
        output,
        lambda path: write(CheckDocument(report), path),
    )


def _both(first: OnEvent, second: OnEvent) -> OnEvent:
    def on_event(event: Event) -> None:
        first(event)
        second(event)

    return on_event


def _own_errors(events: Sequence[Event]) -> list[str]:
    """Why splits did not run to their end on this machine, a line each; node 0 may have another reason, or none."""
    from accumcheck.runfolder.events import Finished

    return [
        f"{event.job}: {event.reason.text}"
        for event in events
        if isinstance(event, Finished) and event.status == "error" and event.reason is not None
    ]


def tell(progress: Progress, check: CheckConfig) -> OnEvent:
    """Show each event of a run on the progress display."""
    from accumcheck.runfolder.events import Finished, Planned, ReferenceProgress, Started, StepDone
    from accumcheck.runfolder.layout import REFERENCE

    def on_event(event: Event) -> None:
        match event:
            case Planned(splits=splits):
                progress.planned([str(split) for split in splits], check.steps, check.samples_trained)
            case ReferenceProgress(done, total):
                progress.reference(done, total)
            case Started(job) if job == REFERENCE:
                progress.reference(0, check.samples_trained)
            case Started(job):
                progress.started(job)
            case StepDone(job, step):
                progress.step(job, step + 1)
            case Finished(job=job, status=status, seconds=seconds) if job != REFERENCE:
                progress.finished(job, status, seconds)

    return on_event
