"""``accumcheck bisect``: the release, or the commit, that broke a check, or fixed it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.deliver import deliver
from accumcheck.cli.no_programs import NoPrograms
from accumcheck.cli.run import CONFIG_HELP, QUIET_HELP, SET_HELP, tell
from accumcheck.errors import ConfigError
from accumcheck.report.registry import OUTPUT_HELP
from accumcheck.runfolder.events import Event, Finished, OnEvent, ReferenceProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accumcheck.config.model import CheckConfig
    from accumcheck.record.bisection import Find
    from accumcheck.report.progress import Progress

GOOD_HELP = "A release under which the check is good. With --repo: a commit, branch or tag."
BAD_HELP = "A release under which the check is bad. With --repo: a commit, branch or tag."
PACKAGE_HELP = "Search the releases of this package. With --repo: the package that the repository must hold."
REPO_HELP = (
    "Search the commits of this local git repository instead of releases. Add #subdirectory=FOLDER if the package is "
    "in a subfolder."
)
FIND_HELP = "broken: find the first bad release. fixed: find the first good one; --bad is then the older end."
RULE_HELP = "Bad means that this weighting rule holds, such as 'microbatch-mean*k'. Default: that the check fails."
WITH_HELP = "Also pin this package in every environment: accelerate==1.4.0, 'trl @ ./checkout', a wheel. Repeatable."


def bisect(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help=CONFIG_HELP, show_default=False)],
    good: Annotated[str, typer.Option("--good", metavar="VERSION|REF", help=GOOD_HELP, show_default=False)],
    bad: Annotated[str, typer.Option("--bad", metavar="VERSION|REF", help=BAD_HELP, show_default=False)],
    package: Annotated[str | None, typer.Option("--package", metavar="NAME", help=PACKAGE_HELP)] = None,
    repo: Annotated[str | None, typer.Option("--repo", metavar="PATH", help=REPO_HELP)] = None,
    find: Annotated[str, typer.Option("--find", metavar="broken|fixed", help=FIND_HELP)] = "broken",
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE", help=RULE_HELP, show_default=False)] = None,
    pre: Annotated[bool, typer.Option("--pre", help="Include pre-releases.")] = False,
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="WHAT", help=WITH_HELP)] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET_HELP)] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore kept results and run everything again.")] = False,
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    no_programs: NoPrograms = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=QUIET_HELP)] = False,
) -> None:
    """Find the release or commit that changed a check's verdict or rule.

    Runs the check at both ends, then at the middle of what is left, until
    one release (or commit) remains. Each runs in its own environment.
    Results are kept: after an interruption, the same command continues.

    The last line on standard output reads: first bad release: X (or: first
    fixed release: X). With --repo, X is the id of a commit.

    Exit codes: 0 found; 2 usage or configuration error, or both ends give
    the same result; 3 not decided: the releases that are left cannot run the
    check; 130 interrupted.
    """
    from accumcheck.authors_code import check_no_programs
    from accumcheck.compare.asked import plans
    from accumcheck.compare.bisect import run_bisect
    from accumcheck.compare.searched import search_of
    from accumcheck.report import check_writable, write
    from accumcheck.report.documents.bisection import BisectionDocument
    from accumcheck.report.parts.search_lines import ending, means, step_line
    from accumcheck.report.progress import Progress

    if find not in ("broken", "fixed"):
        raise ConfigError(f"--find {find}: no such thing to find; use broken or fixed")
    if config.is_dir():
        raise ConfigError(f"{config}: this is a folder; a search is for one configuration")
    sought: Find = "broken" if find == "broken" else "fixed"
    (planned,) = plans([config], set_ or [])
    check_no_programs([(planned.check, config)], set_ or [], refuse=no_programs)
    check_writable(output or [])
    with _kept(), Progress(quiet=quiet) as progress:
        say, on_event = _following(progress, planned.check)
        subject = search_of(good, bad, with_ or [], find=sought, package=package, repo=repo, prereleases=pre, say=say)
        result = run_bisect(
            planned,
            subject,
            find=sought,
            rule=rule,
            fresh=fresh,
            tell=lambda step: progress.line(step_line(step)),
            explain=lambda badness: progress.line(means(str(badness))),
            say=say,
            on_event=on_event,
        )
    deliver(
        result.exit_code,
        lambda: typer.echo("\n".join(ending(result))),
        output,
        lambda path: write(BisectionDocument(result), path),
    )


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Say, where the search is interrupted, that it can go on."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("accumcheck: the results so far are kept; the same command continues from there", err=True)
        raise


def _following(progress: Progress, check: CheckConfig) -> tuple[Callable[[str], None], OnEvent]:
    """What is shown between steps: everything where a display is redrawn, else a sign of life now and then."""
    follow = tell(progress, check)
    if progress.redraws:
        return progress.message, follow

    def on_event(event: Event) -> None:
        last = isinstance(event, ReferenceProgress) and event.done == event.total
        if not isinstance(event, Finished) and not last:
            follow(event)

    return lambda _: None, on_event
