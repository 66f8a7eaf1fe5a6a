"""Run the cases and compare what came out with what must."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from accumcheck.check import run_checks
from accumcheck.record import Report
from accumcheck.selftest.cases import CLEAN, FAULTY, Case


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one case gave. ``caught``: the run did not pass; ``named``: as the case says it must be."""

    case: Case
    report: Report
    caught: bool
    named: bool

    @property
    def held(self) -> bool:
        """Whether the case came out as it must."""
        return not self.caught if self.case.clean else self.caught and self.named

    @property
    def wrong(self) -> bool:
        """Whether the run was decided, and not as it must."""
        return not self.held and self.report.exit_code != 3

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON types."""
        return {
            "case": self.case.name,
            "clean": self.case.clean,
            "verdict": self.report.verdict,
            "loss_rule": self.report.loss_rule,
            "gradient_rule": self.report.gradient_rule,
            "findings": [finding.id for finding in self.report.findings],
            "caught": self.caught,
            "named": self.named,
            "held": self.held,
            "duration_seconds": self.report.duration_seconds,
        }


def run_selftest(cases: Sequence[Case] = (*FAULTY, *CLEAN)) -> Iterator[Outcome]:
    """Run the cases one after the other; yields each outcome as soon as it is known.

    Raises:
        LaunchError: nothing could be started.
    """
    for case, report in zip(cases, run_checks([case.check for case in cases]), strict=True):
        yield outcome_of(case, report)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 where every case came out as it must, 1 where one did not, 3 where one was not decided, or there is none."""
    if outcomes and all(outcome.held for outcome in outcomes):
        return 0
    return 1 if any(outcome.wrong for outcome in outcomes) else 3


def outcome_of(case: Case, report: Report) -> Outcome:
    """Hold a report against what its case expects; a run that could not be decided is neither caught nor clean."""
    if case.clean:
        return Outcome(case, report, caught=report.verdict != "pass" or bool(report.findings), named=False)
    caught = report.verdict in ("fail", "warn")
    failing = [split for split in report.splits if split.verdict == "fail"]
    named = (
        case.finding in {finding.id for finding in report.findings}
        and case.loss_rule in (None, report.loss_rule, *_common(split.loss_rule for split in failing))
        and case.gradient_rule in (None, report.gradient_rule, *_common(split.gradient_rule for split in failing))
    )
    return Outcome(case, report, caught, named)


def _common(rules: Iterable[str | None]) -> list[str | None]:
    """The rule that all these follow: a fault that has no formula names its splits, and never the run."""
    found = list(dict.fromkeys(rules))
    return found if len(found) == 1 else []
