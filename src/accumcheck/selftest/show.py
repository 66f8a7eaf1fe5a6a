"""The outcomes as lines of text, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from accumcheck.selftest.run import Outcome

_NAME, _VERDICT, _RULES = 32, 8, 34


def title() -> str:
    """The head of the table."""
    return f"{'planted':<{_NAME}}{'verdict':<{_VERDICT}}{'named':<{_RULES}}holds\n{'-' * 80}"


def line(outcome: Outcome) -> str:
    """One case: what came out, and whether that is what must."""
    report = outcome.report
    name = f"nothing: {outcome.case.name}" if outcome.case.clean else outcome.case.name
    rules = ", ".join(dict.fromkeys(rule for rule in (report.loss_rule, report.gradient_rule) if rule))
    if outcome.named and outcome.case.loss_rule is None:  # named by what was seen, not by a formula
        rules = outcome.case.finding
    held = "yes" if outcome.held else "NO"
    return f"{name:<{_NAME}}{report.verdict:<{_VERDICT}}{rules:<{_RULES}}{held}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """The three counts that matter, and what did not hold."""
    faulty = [outcome for outcome in outcomes if not outcome.case.clean]
    clean = [outcome for outcome in outcomes if outcome.case.clean]
    caught, named = sum(outcome.caught for outcome in faulty), sum(outcome.named for outcome in faulty)
    alarms = sum(outcome.caught for outcome in clean)
    text = [
        "-" * 80,
        f"caught {caught} of {len(faulty)}, named {named} of {len(faulty)}, false alarms {alarms} of {len(clean)}",
    ]
    for outcome in outcomes:
        if not outcome.held:
            case, report = outcome.case, outcome.report
            wanted = "pass" if case.clean else f"{case.loss_rule or 'any loss'}, {case.gradient_rule or 'any gradient'}"
            text.append(
                f"NO  {case.name}: wanted {wanted}; got {report.verdict}, {report.loss_rule}, {report.gradient_rule}"
            )
            text += [f"    {split.split}: {split.reason}" for split in report.splits if split.reason]
    return "\n".join(text)
