"""What makes a release bad: the check fails under it, or follows a certain weighting rule."""

from __future__ import annotations

from dataclasses import dataclass

from accumcheck.errors import ConfigError
from accumcheck.record import Report
from accumcheck.record.bisection import RulePair


@dataclass(frozen=True, slots=True)
class Badness:
    """The criterion by which a report is bad. Without fields: the report fails.

    ``rule``: its loss or its gradient follows this rule; ``rules``: it fails, and its loss and its gradient follow
    these two rules.
    """

    rule: str | None = None
    rules: RulePair | None = None

    def of(self, report: Report) -> bool | None:
        """Whether the report is bad; None if the report is undecided."""
        if report.exit_code not in (0, 1):
            return None
        if self.rule is not None:
            others = (rule for found in report.alternatives.values() for rule in found)
            return self.rule in (report.loss_rule, report.gradient_rule, *others)
        if self.rules is not None:
            return report.exit_code == 1 and RulePair.of(report) == self.rules
        return report.exit_code == 1

    def __str__(self) -> str:
        if self.rule is not None:
            return f"loss or gradient follows {self.rule}"
        if self.rules is not None:
            return f"the check fails with {self.rules}"
        return "the check fails"


def badness_between(good: Report, bad: Report, rule: str | None) -> Badness:
    """The criterion that separates the two ends: the rule that the user named, else the verdict, else the rules.

    Both reports must be decided.

    Raises:
        ConfigError: no criterion separates them. The text says what was found at both ends.
    """
    question = Badness(rule=rule)
    if question.of(bad) and not question.of(good):
        return question
    found = f"found under --good: {verdict_and_rules(good)}; under --bad: {verdict_and_rules(bad)}"
    if rule is not None:
        end = "--bad" if not question.of(bad) else "--good"
        does = "does not follow" if end == "--bad" else "follows"
        raise ConfigError(f"--rule {rule}: the {end} end {does} it, so there is no change to look for; {found}")
    if good.exit_code == bad.exit_code == 1 and RulePair.of(good) != RulePair.of(bad):
        return Badness(rules=RulePair.of(bad))
    if good.exit_code == 1 and bad.exit_code == 0:
        raise ConfigError(f"the ends are swapped: --good fails and --bad does not; {found}")
    if good.exit_code == bad.exit_code == 1:
        raise ConfigError(f"the --good end is not good: it fails like the --bad end; {found}")
    hint = "" if RulePair.of(good) == RulePair.of(bad) else ". The rules differ: give the rule to look for with --rule"
    raise ConfigError(f"the --bad end is not bad; {found}{hint}")


def verdict_and_rules(report: Report) -> str:
    """The verdict and the rules of a report."""
    return f"{report.verdict} ({RulePair.of(report)})"
