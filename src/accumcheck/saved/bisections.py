"""A search over releases as JSON: what ``accumcheck bisect`` writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from accumcheck.record import SCHEMA_VERSION, Report, Verdict
from accumcheck.record.bisection import Bisection, Find, State, Step, Tried
from accumcheck.record.in_json import LATER, Always, OneOf
from accumcheck.redaction import redacted
from accumcheck.saved.write import plain, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierJson:
    """A fault that ended before the one searched for last."""

    bad_meant: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepJson:
    """One release that was tried, in the order of the search."""

    release: str
    about: str
    """Of a commit, the first line of its message."""
    state: State
    """other: fails, but not in the way that is searched."""
    bad_means: str
    """What makes a release bad, at this step."""
    verdict: Verdict | None
    loss_rule: str | None
    gradient_rule: str | None
    reason: str
    """Why it could not be decided; empty if it was."""
    kept: bool
    """It is from an earlier search."""
    seconds: float
    """Duration, including its environment."""
    exit_code: int | None = field(default=None, metadata=LATER)
    """The exit code of the check; null if it has no report."""
    started_at: str = field(default="", metadata=LATER)
    """When the check started, in ISO 8601 with the offset from UTC; empty if it has no report."""
    left: int | None = field(default=None, metadata=LATER)
    """The number of releases left to try after this one."""
    steps_left: int = field(default=0, metadata=LATER)
    """About how many more steps these need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideJson:
    """A release next to the change, with its report; null: there is none."""

    release: str
    report: Report | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectionJson:
    """A search over releases: what accumcheck bisect writes."""

    schema_version: Annotated[str, Always(SCHEMA_VERSION)] = SCHEMA_VERSION
    config: str
    """The configuration's file."""
    find: Find
    found: str | None
    """The first bad or fixed release, or the id of the commit; null: not decided."""
    package: str
    """Whose releases were searched; of commits it may be empty."""
    of_commits: bool
    """Commits of a repository were searched."""
    candidates: tuple[str, ...]
    """The releases that it may be, at least one."""
    release_notes: tuple[str, ...]
    """Addresses, one for each candidate; none of commits."""
    bad_means: str
    earlier: tuple[EarlierJson, ...]
    """With find: fixed, the faults that ended before the one at the end."""
    steps: tuple[StepJson, ...]
    before: SideJson
    after: SideJson
    exit_code: Annotated[int, OneOf((0, 3))]
    """3: only releases that could not be decided are left."""


def bisection_to_json(bisection: Bisection) -> str:
    """The whole search, with the reports on both sides of the change, as JSON text ending in a line break."""
    return to_json(_saved(bisection))


def bisection_to_dict(bisection: Bisection) -> dict[str, Any]:
    """The search made of JSON types."""
    made: dict[str, Any] = plain(_saved(bisection))
    return made


def bisection_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) that the JSON of ``bisect`` satisfies."""
    from accumcheck.saved.schema import schema_of

    return schema_of(BisectionJson, "accumcheck bisection")


def _saved(bisection: Bisection) -> BisectionJson:
    return BisectionJson(
        config=bisection.config,
        find=bisection.find,
        found=bisection.found_in_full,
        package=bisection.package,
        of_commits=bisection.of_commits,
        candidates=bisection.candidates,
        release_notes=bisection.pages,
        bad_means=bisection.meaning,
        earlier=tuple(EarlierJson(bad_meant=meaning, until=release) for meaning, release in bisection.earlier),
        steps=tuple(map(_step, bisection.steps)),
        before=_side(bisection.before),
        after=_side(bisection.after),
        exit_code=bisection.exit_code,
    )


def _step(step: Step) -> StepJson:
    one, report = step.tried, step.tried.short
    return StepJson(
        release=one.release,
        about=one.about,
        state=step.state,
        bad_means=step.meaning,
        verdict=None if report is None else report.verdict,
        loss_rule=None if report is None else report.loss_rule,
        gradient_rule=None if report is None else report.gradient_rule,
        reason=one.reason,
        kept=one.kept,
        seconds=one.seconds,
        exit_code=None if report is None else report.exit_code,
        started_at="" if report is None else report.started_at,
        left=step.left,
        steps_left=step.steps,
    )


def _side(one: Tried) -> SideJson:
    return SideJson(release=one.release, report=None if one.report is None else redacted(one.report))
