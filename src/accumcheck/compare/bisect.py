"""Find the release, or the commit, that broke a check, or the one that fixed it."""

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

    Faults follow one another: under the release that cures one, the check may fail by the next. The first fixed release
    is therefore sought fault by fault, each from where the last one ended; the first bad one by the verdict alone.

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
        # the fault is gone, and another has come: on to the end of that one
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
    """Halve what is between two releases that differ in ``badness``, until it cannot be halved any more.

    ``tried``: what was tried so far; what is tried now is added.
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
    """Whether a release is a bad one; None where it could not be decided."""
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
    """Search the candidates of a subject, each in an environment of its own.

    Every result is kept as soon as it is known.

    Args:
        planned: the check.
        subject: the releases of a package, or the commits of a repository.
        find: see `bisect`.
        rule: see `bisect`.
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
    history = History(
        planned.check, [*(pin.identity for pin in subject.others), *([subject.key] if subject.key else [])], fresh=fresh
    )
    trial = Trial(planned, subject, history, say=say, on_event=on_event)

    def between() -> Sequence[str]:
        say("listing what is between the ends")
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
        raise AccumcheckError(f"{end.release}, one of the two ends, could not be decided: {end.reason}; name another")
    return end.report
