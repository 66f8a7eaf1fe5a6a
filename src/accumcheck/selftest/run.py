"""Run the cases and compare their results with the expected ones."""

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
    """The result of one case.

    ``caught``: the run did not pass; ``named``: the finding and the rules are the expected ones; ``accused``: exactly
    the splits with the planted fault were found wrong, and the text names the right parameter, process, step or place.
    """

    case: Case
    report: Report
    caught: bool
    named: bool
    accused: bool

    @property
    def is_as_expected(self) -> bool:
        """Whether the result is the expected one."""
        return not self.caught if self.case.is_clean else self.caught and self.named and self.accused


def run_selftest(cases: Sequence[Case] = (*FAULTY, *CLEAN)) -> Iterator[Outcome]:
    """Run the cases one after the other. Yields each outcome as soon as it is known.

    Raises:
        LaunchError: nothing could be started.
    """
    for case, report in zip(cases, run_checks([case.check for case in cases]), strict=True):
        yield outcome_of(case, report)


def outcome_of(case: Case, report: Report) -> Outcome:
    """Compare a report with its case. A run that could not be decided is neither caught nor clean."""
    if case.is_clean:
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
    """Whether exactly the case's splits were found wrong, and the text names the cause."""
    findings = [finding for finding in report.findings if finding.id == case.finding]
    wrong = {str(split.split) for split in report.splits if split.verdict in ("fail", "warn")}
    wrong.update(split for finding in findings for split in finding.splits)
    words = " ".join(f"{finding.summary} {finding.explanation}" for finding in findings)
    return wrong == set(case.accused) and re.search(case.says, words, re.IGNORECASE) is not None


def _common(rules: Iterable[str | None]) -> list[str | None]:
    """The rule that all splits follow. A fault without a formula belongs to its splits, never to the run."""
    found = list(dict.fromkeys(rules))
    return found if len(found) == 1 else []
