"""Find the release or the commit that broke or fixed a check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from accumcheck.compare.badness import Badness, badness_between
from accumcheck.compare.history import History
from accumcheck.compare.search import Search
from accumcheck.compare.subjects import Commits, Subject
from accumcheck.compare.trial import Trial
from accumcheck.compare.upgrade import Planned
from accumcheck.errors import AccumcheckError
from accumcheck.record import Report
from accumcheck.record.bisection import Bisection, Find, RulePair, Step, Tried
from accumcheck.runfolder.events import OnEvent


def bisect(
    ends: tuple[str, str],
    between: Callable[[], Sequence[str]],
    attempt: Callable[[str], Tried],
    *,
    find: Find,
    rule: str | None,
    tell: Callable[[Step], None],
    explain: Callable[[Badness], None],
) -> Bisection:
    """Try both ends, then releases between them, until one is left.

    A release that fixes one fault may introduce another. The search for the first fixed release therefore goes fault by
    fault, each from the end of the last one. The search for the first bad release only uses the verdict.

    Args:
        ends: the older release first.
        between: lists the releases between the ends, the oldest first. Called once, after both ends were tried.
        attempt: tries one release.
        find: what to find: the first bad release, or the first release that is no longer bad.
        rule: a weighting rule that makes a release bad. Without it, a release is bad if it fails, or by its rules.
        tell: called with every step.
        explain: called with the criterion of a bad release, as soon as it is known.

    Raises:
        ConfigError: the ends do not differ as they should.
        AccumcheckError: an end could not be decided.
    """
    tried = {end: attempt(end) for end in ends}
    reports = [_decided(tried[end]) for end in ends]
    good, bad = reports if find == "broken" else reversed(reports)
    badness = badness_between(good, bad, rule)
    by_verdict = badness == Badness()
    if by_verdict and find == "fixed":
        badness = Badness(rules=RulePair.of(bad))
    releases = [ends[0], *between(), ends[1]]
    explain(badness)
    steps: list[Step] = []

    def step(one: Step) -> None:
        steps.append(one)
        tell(one)

    for end in ends:
        whole = Search(releases)
        step(Step(tried[end], _answer(tried[end], badness), str(badness), whole.left, whole.steps))
    earlier: list[tuple[str, str]] = []
    while True:
        result = _halve(releases, attempt, tried, badness, find, step)
        after = result.after.report
        if result.found is None or not (by_verdict and find == "fixed") or after is None or not after.exit_code:
            return replace(result, steps=tuple(steps), earlier=tuple(earlier))
        # the fault is gone, but another one has come: look for the end of that one
        earlier.append((str(badness), result.after.release))
        badness = Badness(rules=RulePair.of(after))
        explain(badness)
        releases = releases[releases.index(result.after.release) :]


def _halve(
    releases: Sequence[str],
    attempt: Callable[[str], Tried],
    tried: dict[str, Tried],
    badness: Badness,
    find: Find,
    tell: Callable[[Step], None],
) -> Bisection:
    """Halve the range between two releases that differ in ``badness``, until it cannot be halved any more.

    ``tried``: the releases that were tried so far; new ones are added.
    """
    search = Search(releases)

    def note(release: str) -> bool | None:
        is_bad = _answer(tried[release], badness)
        search.tell(release, None if is_bad is None else is_bad == (find == "broken"))
        return is_bad

    for known in set(releases[1:-1]) & set(tried):
        note(known)
    while (release := search.next()) is not None:
        tried[release] = attempt(release)
        is_bad = note(release)
        tell(Step(tried[release], is_bad, str(badness), search.left, search.steps))
    return Bisection(
        find=find,
        meaning=str(badness),
        before=tried[search.before],
        after=tried[search.candidates[-1]],
        candidates=search.candidates,
        skipped=tuple(tried[one] for one in search.candidates[:-1]),
        steps=(),
    )


def _answer(one: Tried, badness: Badness) -> bool | None:
    """Whether a release is bad; None if that could not be decided."""
    return None if one.report is None else badness.of(one.report)


def run_bisect(
    planned: Planned,
    subject: Subject,
    *,
    find: Find,
    rule: str | None,
    fresh: bool,
    tell: Callable[[Step], None],
    explain: Callable[[Badness], None],
    say: Callable[[str], None],
    on_event: OnEvent,
) -> Bisection:
    """Search the candidates of a subject, each in its own environment.

    Every result is saved as soon as it is known.

    Args:
        planned: the check.
        subject: the releases of a package, or the commits of a repository.
        find: see `bisect`.
        rule: see `bisect`.
        fresh: run everything again, even if an earlier search has its result.
        tell: see `bisect`.
        explain: see `bisect`.
        say: called from several threads with one line on what is being done.
        on_event: called with every event of a run.

    Raises:
        ConfigError: an end does not exist, or the ends do not differ as they should.
        AccumcheckError: an end could not be decided, or the package index could not be reached.
        KeyboardInterrupt: passed on after every process has been ended.
    """
    history = History(
        planned.check, [*(pin.identity for pin in subject.others), *([subject.key] if subject.key else [])], fresh=fresh
    )
    trial = Trial(planned, subject, history, say=say, on_event=on_event)

    def between() -> Sequence[str]:
        say("listing the candidates between the ends")
        return subject.between()

    with subject:
        trial.prepare(subject.ends)
        result = bisect(subject.ends, between, trial, find=find, rule=rule, tell=tell, explain=explain)
        return replace(
            result,
            config=planned.file.path,
            package=subject.package,
            of_commits=isinstance(subject, Commits),
            full=tuple(map(subject.full, result.candidates)),
            pages=subject.pages(result.candidates),
        )


def _decided(end: Tried) -> Report:
    if end.report is None or end.report.exit_code not in (0, 1):
        raise AccumcheckError(f"{end.release}, one of the two ends, could not be decided: {end.reason}; give another")
    return end.report
