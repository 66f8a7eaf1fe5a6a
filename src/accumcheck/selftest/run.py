"""Run the cases and compare what came out with what must."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from accumcheck.check import run_checks
from accumcheck.record import Report
from accumcheck.selftest.case import Case
from accumcheck.selftest.cases import CLEAN, FAULTY


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one case gave.

    ``caught``: the run did not pass; ``named``: as the case says it must be; ``accused``: the splits that were found
    wrong are those in which the fault was planted, and the parameter, process, step or place that is blamed is its own.
    """

    case: Case
    report: Report
    caught: bool
    named: bool
    accused: bool

    @property
    def held(self) -> bool:
        """Whether the case came out as it must."""
        return not self.caught if self.case.clean else self.caught and self.named and self.accused


def run_selftest(cases: Sequence[Case] = (*FAULTY, *CLEAN)) -> Iterator[Outcome]:
    """Run the cases one after the other; yields each outcome as soon as it is known.

    Raises:
        LaunchError: nothing could be started.
    """
    for case, report in zip(cases, run_checks([case.check for case in cases]), strict=True):
        yield outcome_of(case, report)


def outcome_of(case: Case, report: Report) -> Outcome:
    """Hold a report against what its case expects; a run that could not be decided is neither caught nor clean."""
    if case.clean:
        return Outcome(
            case, report, caught=report.verdict != "pass" or bool(report.findings), named=False, accused=False
        )
    caught = report.verdict in ("fail", "warn")
    failing = [split for split in report.splits if split.verdict == "fail"]
    named = (
        case.finding in {finding.id for finding in report.findings}
        and case.loss_rule in (None, report.loss_rule, *_common(split.loss_rule for split in failing))
        and case.gradient_rule in (None, report.gradient_rule, *_common(split.gradient_rule for split in failing))
    )
    return Outcome(case, report, caught, named, caught and _accuses_the_guilty(case, report))


def _accuses_the_guilty(case: Case, report: Report) -> bool:
    """Whether the splits that were found wrong are the case's, no fewer and no more, and the words name what is."""
    findings = [finding for finding in report.findings if finding.id == case.finding]
    wrong = {str(split.split) for split in report.splits if split.verdict in ("fail", "warn")}
    wrong.update(split for finding in findings for split in finding.splits)
    words = " ".join(f"{finding.summary} {finding.explanation}" for finding in findings)
    return wrong == set(case.accused) and re.search(case.says, words, re.IGNORECASE) is not None


def _common(rules: Iterable[str | None]) -> list[str | None]:
    """The rule that all these follow: a fault that has no formula names its splits, and never the run."""
    found = list(dict.fromkeys(rules))
    return found if len(found) == 1 else []
