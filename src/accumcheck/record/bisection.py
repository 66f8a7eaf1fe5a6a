"""The dataclasses of a search over releases: each release's result, and where the check's verdict (or rule) changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from accumcheck.record.reported import Report
from accumcheck.record.split import Verdict

Find = Literal["broken", "fixed"]
"""What to search for: the first bad release, or the first that is no longer bad."""


State = Literal["good", "bad", "other", "skipped"]
"""The state of a release: ``other`` fails, but not in the way that is searched."""


@dataclass(frozen=True, slots=True)
class RulePair:
    """The weighting rules of the reported loss and of the gradient; None: no rule."""

    loss: str | None
    gradient: str | None

    @classmethod
    def of(cls, report: Report | ShortReport) -> RulePair:
        """The rules of a run as a whole."""
        return cls(report.loss_rule, report.gradient_rule)

    def __str__(self) -> str:
        loss, gradient = self.loss or "no rule", self.gradient or "no rule"
        return loss if loss == gradient else f"loss {loss}, gradient {gradient}"


@dataclass(frozen=True, slots=True)
class ShortReport:
    """The part of a report that a search shows. A saved search has only this for releases not next to the change.

    ``exit_code``: 0, 1 or 3; ``started_at``: in ISO 8601, empty if an older version saved the search.
    """

    verdict: Verdict
    exit_code: int
    loss_rule: str | None
    gradient_rule: str | None
    started_at: str

    @classmethod
    def of(cls, report: Report) -> ShortReport:
        """The short form of a full report."""
        return cls(report.verdict, report.exit_code, report.loss_rule, report.gradient_rule, report.started_at)


@dataclass(frozen=True, slots=True)
class Tried:
    """The result under one release.

    ``report``: None if there is none, or if it was not saved; ``reason``: why it could not be decided, else empty;
    ``seconds``: the time it took, including building the environment; ``kept``: it is from an earlier search;
    ``about``: for a commit, the first line of its message; ``saved``: replaces ``report`` in a saved search.
    """

    release: str
    report: Report | None
    reason: str = ""
    seconds: float = 0.0
    kept: bool = False
    about: str = ""
    saved: ShortReport | None = None

    @property
    def short(self) -> ShortReport | None:
        """The short report; None if there was no report."""
        return self.saved if self.report is None else ShortReport.of(self.report)

    def state(self, bad: bool | None) -> State:
        """The release's state, given whether it is bad; None: it could not be decided."""
        if bad is None:
            return "skipped"
        if bad:
            return "bad"
        return "other" if self.short is not None and self.short.exit_code == 1 else "good"


@dataclass(frozen=True, slots=True)
class Step:
    """One release that was tried.

    ``bad``: whether it is bad, None if it was skipped; ``meaning``: what bad meant then; ``left``: how many releases
    are left, None if an older version saved the search; ``steps``: how many more steps that takes.
    """

    tried: Tried
    bad: bool | None
    meaning: str
    left: int | None
    steps: int

    @property
    def state(self) -> State:
        """The release's state."""
        return self.tried.state(self.bad)


@dataclass(frozen=True, slots=True)
class Bisection:
    """The result of a search.

    ``meaning``: what makes a release bad; ``before`` and ``after``: the last release on the near side of the
    change, and the first on the far side; ``candidates``: the releases that may be the one searched for, a single one
    if it was found; ``skipped``: those of them that could not be decided; ``earlier``: what bad meant before the
    fault that ended here, each with the release that ended it; ``config``: the check's file, as the user named it;
    ``package``: whose releases were searched, empty if that is not known for commits; ``of_commits``: commits were
    searched; ``full``: the candidates in full, for example ids of commits; ``pages``: pages that describe the
    candidates' changes.
    """

    find: Find
    meaning: str
    before: Tried
    after: Tried
    candidates: tuple[str, ...]
    skipped: tuple[Tried, ...]
    steps: tuple[Step, ...]
    earlier: tuple[tuple[str, str], ...] = ()
    config: str = ""
    package: str = "transformers"
    of_commits: bool = False
    full: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()

    @property
    def found(self) -> str | None:
        """The first bad or fixed release; None if only releases that could not be decided are left."""
        return self.candidates[0] if len(self.candidates) == 1 else None

    @property
    def exit_code(self) -> int:
        """0, or 3 if it was not found."""
        return 3 if self.found is None else 0

    @property
    def found_in_full(self) -> str | None:
        """What was found, in full."""
        return self.full[0] if self.found is not None and self.full else self.found

    def named(self, release: str) -> str:
        """A candidate as part of a sentence: ``transformers 4.49.0``, ``commit 1f0c2a9b7e``."""
        return f"{'commit' if self.of_commits else self.package} {release}"
