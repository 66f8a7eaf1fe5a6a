"""Find the release that broke a check, or the one that fixed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from packaging.version import Version

from accumcheck.environments import Pin, published_versions
from accumcheck.environments.processes import Processes
from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.record import Report
from accumcheck.releases.badness import Badness, badness_between
from accumcheck.releases.history import History
from accumcheck.releases.search import Search
from accumcheck.releases.trial import Trial, Tried
from accumcheck.releases.upgrade import Planned

Find = Literal["broken", "fixed"]


@dataclass(frozen=True, slots=True)
class Step:
    """One release that was tried: whether it is a bad one (None: skipped), how many are left, and in how many steps."""

    tried: Tried
    bad: bool | None
    left: int
    steps: int


@dataclass(frozen=True, slots=True)
class Result:
    """Where the search ended.

    ``candidates``: the releases that may be the one looked for, a single one where it was found; ``before`` and
    ``after``: the last release on the near side of the change, and the first on the far side.
    """

    badness: Badness
    before: Tried
    after: Tried
    candidates: tuple[str, ...]
    skipped: tuple[Tried, ...]


def in_order(good: str, bad: str, find: Find) -> tuple[str, str]:
    """The ends, the older first.

    Raises:
        ConfigError: they are not in the order that ``find`` implies.
    """
    if Version(good) == Version(bad):
        raise ConfigError(f"--good {good} --bad {bad}: one release; there is nothing between them")
    if find == "broken" and Version(good) > Version(bad):
        raise ConfigError(
            f"--good {good} is newer than --bad {bad}: to look for the release that fixed it, give --find fixed"
        )
    if find == "fixed" and Version(good) < Version(bad):
        raise ConfigError(
            f"--find fixed: --good {good} is older than --bad {bad}; to look for the release that broke it, leave out "
            "--find fixed"
        )
    return (good, bad) if find == "broken" else (bad, good)


def bisect(
    ends: tuple[str, str],
    between: Callable[[], Sequence[str]],
    attempt: Callable[[str], Tried],
    *,
    find: Find,
    rule: str | None,
    tell: Callable[[Step], None],
    explain: Callable[[Badness], None],
) -> Result:
    """Try both ends, then releases between them, until one is left.

    Args:
        ends: the older release first.
        between: lists the releases between the ends, the oldest first; asked once, when both ends have been tried.
        attempt: tries one release.
        find: what is looked for: the first bad release, or the first that is no longer bad.
        rule: a weighting rule that makes a release bad; without it, failing does, or failing by another rule.
        tell: called with every step.
        explain: called with what makes a release bad, as soon as that is known.

    Raises:
        ConfigError: the ends do not differ as they should.
        AccumcheckError: an end could not be decided.
    """
    older, newer = attempt(ends[0]), attempt(ends[1])
    reports = [_decided(end) for end in (older, newer)]
    good, bad = reports if find == "broken" else reversed(reports)
    badness = badness_between(good, bad, rule)
    explain(badness)
    search = Search([ends[0], *between(), ends[1]])
    tried = {ends[0]: older, ends[1]: newer}
    for end in (older, newer):
        assert end.report is not None
        tell(Step(end, badness.of(end.report), search.left, search.steps))
    while (release := search.next()) is not None:
        found = tried[release] = attempt(release)
        is_bad = None if found.report is None else badness.of(found.report)
        search.tell(release, None if is_bad is None else is_bad == (find == "broken"))
        tell(Step(found, is_bad, search.left, search.steps))
    return Result(
        badness=badness,
        before=tried[search.before],
        after=tried[search.candidates[-1]],
        candidates=search.candidates,
        skipped=tuple(tried[one] for one in search.candidates[:-1]),
    )


def run_bisect(
    planned: Planned,
    ends: tuple[str, str],
    others: Sequence[Pin],
    *,
    find: Find,
    rule: str | None,
    prereleases: bool,
    fresh: bool,
    tell: Callable[[Step], None],
    explain: Callable[[Badness], None],
    say: Callable[[str], None],
    on_event: Callable[[dict[str, Any]], None],
) -> Result:
    """Search the published transformers releases, each in an environment of its own.

    The releases are listed while the ends are tried. Every result is kept as soon as it is known.

    Args:
        planned: the check.
        ends: the older release first.
        others: what every environment has beside transformers.
        find: see `bisect`.
        rule: see `bisect`.
        prereleases: try these too.
        fresh: run again what an earlier search has run.
        tell: see `bisect`.
        explain: see `bisect`.
        say: called, from several threads, with what is being done.
        on_event: called with every event of a run.

    Raises:
        ConfigError: an end does not exist, or the ends do not differ as they should.
        AccumcheckError: an end could not be decided, or the package index could not be reached.
        KeyboardInterrupt: passed on when every process has been ended.
    """
    history = History(planned.check, [str(pin) for pin in others], fresh=fresh)
    trial = Trial(planned, others, history, say=say, on_event=on_event)
    older, newer = map(Version, ends)
    asking = Processes()
    with ThreadPoolExecutor(1, thread_name_prefix="listing") as pool:
        listed = pool.submit(
            published_versions,
            "transformers",
            at_least=older,
            at_most=newer,
            prereleases=prereleases,
            processes=asking,
        )

        def between() -> list[str]:
            say("listing the published releases")
            return [str(one) for one in listed.result() if older < one < newer]

        try:
            trial.prepare(ends)
            return bisect(ends, between, trial, find=find, rule=rule, tell=tell, explain=explain)
        finally:
            asking.stop()


def _decided(end: Tried) -> Report:
    if end.report is None or end.report.exit_code not in (0, 1):
        raise AccumcheckError(
            f"transformers {end.release}, one of the two ends, could not be decided: {end.reason}; name another"
        )
    return end.report
