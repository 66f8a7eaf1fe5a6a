"""``accumcheck watch``: the check, again after every change, with the imports kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.no_programs import NoPrograms
from accumcheck.cli.run import CONFIG_HELP, EXPLAIN_HELP, IMPORTING, SET_HELP, TRANSFORMERS_HELP, WITH_HELP, tell
from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.report.registry import OUTPUT_HELP

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Report
    from accumcheck.runfolder.events import OnEvent

WAITING = "waiting for changes (Ctrl-C to end)"
_SHOWN = 3


def watch(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help=CONFIG_HELP, show_default=False)],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET_HELP)] = None,
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as failures.")] = False,
    allow_skipped: Annotated[
        bool, typer.Option("--allow-skipped", help="Let the check pass even if a split is skipped for lack of GPUs.")
    ] = False,
    transformers: Annotated[
        str | None, typer.Option("--transformers", metavar="VERSION", help=TRANSFORMERS_HELP)
    ] = None,
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="WHAT", help=WITH_HELP)] = None,
    explain_tolerances: Annotated[bool, typer.Option("--explain-tolerances", help=EXPLAIN_HELP)] = False,
    no_programs: NoPrograms = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only errors on standard error.")] = False,
) -> None:
    """Run the check again whenever one of its files changes.

    The first run imports torch and transformers; later runs start at once.
    Watched files: the configuration, the files and folders that it names,
    and your own Python files that a run imports.

    End it with Ctrl-C. If you break the configuration while it runs, the
    error is shown and watch waits for your next change.

    Exit codes: 130 Ctrl-C, whatever the last verdict was; 2 usage or
    configuration error at the start.
    """
    from accumcheck.authors_code import check_no_programs
    from accumcheck.config.load import load_config
    from accumcheck.environments import build_wheel, environments, latest, parse_request
    from accumcheck.report import check_writable
    from accumcheck.watch.loop import Watcher

    overrides = set_ or []

    def load() -> CheckConfig:
        check = load_config(config, overrides)
        if check.launcher.nnodes > 1:
            raise ConfigError(f"{config}: launcher.nnodes: found {check.launcher.nnodes}; watch runs on one machine")
        check_no_programs([(check, config)], overrides, refuse=no_programs)
        return check

    first = load()
    check_writable(output or [])
    request = parse_request(transformers, with_ or [], latest=latest, build=build_wheel)
    screen = _Screen(config, overrides, tuple(output or ()), explain_tolerances, quiet)
    with environments([request], say=screen.say) as (python,):
        Watcher(config, load, screen, python, allow_skipped, strict).watch(first)


@dataclass(frozen=True)
class _Screen:
    """Reports on standard output; what has changed, and that it waits, on standard error."""

    config: Path
    overrides: list[str]
    output: tuple[Path, ...]
    explain_tolerances: bool
    quiet: bool

    @contextmanager
    def running(self, check: CheckConfig, *, imports: bool) -> Iterator[OnEvent]:
        """See `accumcheck.watch.loop.Screen`."""
        from accumcheck.report.progress import Progress

        with Progress(quiet=self.quiet) as progress:
            if imports:
                progress.message(IMPORTING)
            yield tell(progress, check)

    def report(self, report: Report) -> None:
        """Print it, and write every file that was asked for."""
        from accumcheck.config.places import config_file
        from accumcheck.report import show, write
        from accumcheck.report.documents.check import CheckDocument

        report = replace(report, config_file=config_file(self.config, self.overrides))
        for path in self.output:
            try:
                write(CheckDocument(report), path)
            except AccumcheckError as error:
                self.failed(error)
        show(CheckDocument(report, explain_tolerances=self.explain_tolerances), "table", sys.stdout)
        sys.stdout.flush()

    def failed(self, error: AccumcheckError) -> None:
        """Print the message, as the program does that ends with it."""
        typer.echo(error if isinstance(error, ConfigError) else f"accumcheck: {error}", err=True)

    def waiting(self) -> None:
        """See `accumcheck.watch.loop.Screen`."""
        self.say(WAITING)

    def changed(self, files: list[Path]) -> None:
        """The time, and the first few names, as seen from the working directory."""
        self.say(f"\n{time.strftime('%H:%M:%S')} changed: {_named(files)}")

    def dropped(self, files: list[Path]) -> None:
        """See `accumcheck.watch.loop.Screen`."""
        self.say(f"written by the check itself, and not watched any more: {_named(files)}")

    def say(self, text: str) -> None:
        """A line on standard error."""
        if not self.quiet:
            typer.echo(text, err=True)


def _named(files: list[Path]) -> str:
    here = Path.cwd()
    names = [str(file.relative_to(here)) if here in file.parents else str(file) for file in files]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
