"""From divergences to verdicts and the exit code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from accumcheck.judge.rules.bases import BASE_ROWS
from accumcheck.judge.rules.windows import WINDOW_ROWS
from accumcheck.record import Divergence, Severity, Split, SplitResult, StepRecord, Tolerances, Verdict
from accumcheck.record.rule import TOKEN_MEAN, UNEXPLAINED, Rule

_AS_VERDICT: Mapping[Severity, Verdict] = {"ignore": "pass", "warn": "warn", "fail": "fail"}
_ORDER: tuple[Verdict, ...] = ("pass", "warn", "fail")


def severity_of(rule: Rule, overrides: Mapping[str, Severity]) -> Severity:
    """The severity of a rule for a split that diverges: the user's setting, else that of its row.

    Args:
        rule: of the split.
        overrides: by the names of rules.
    """
    if str(rule) in overrides:
        return overrides[str(rule)]
    for name, severity in overrides.items():
        if Rule.parse(name).matches(rule):
            return severity
    if rule.window is not None:
        return WINDOW_ROWS[rule.window.shape].severity
    return "fail" if rule.factors else BASE_ROWS[rule.base].severity


def finite(step: StepRecord) -> bool:
    """Whether loss and gradient norm are finite; a loss that the stack did not report is not an error."""
    return all(math.isfinite(value) for value in (step.loss, step.grad_norm) if value is not None)


def diverges(found: Divergence, tolerances: Tolerances) -> tuple[bool, bool]:
    """Whether the loss, and whether the gradient, its norm, its weights or one weight, is beyond tolerance; NaN is."""
    return (
        _beyond(found.loss, tolerances.loss),
        _beyond(found.gradient, tolerances.gradient)
        or _beyond(found.grad_norm, tolerances.grad_norm)
        or _beyond(found.weights, tolerances.weights)
        or _beyond(found.sample, 1.0),
    )


def _beyond(value: float | None, tolerance: float | None) -> bool:
    return value is not None and tolerance is not None and not value <= tolerance


def judge_split(
    split: Split,
    steps: Sequence[StepRecord],
    tolerances: Tolerances,
    loss_rule: Rule | None,
    gradient_rule: Rule | None,
    overrides: Mapping[str, Severity],
    *,
    batching: bool = False,
) -> Verdict:
    """The verdict on a split that ran: pass if nothing diverges, else the severity of its rule.

    A rule's factors count against splits that they change, not against a control in which they are 1.

    ``batching``: compared with the model's own micro-batches nothing diverges. Any divergence then comes from the
    model, which is a warning.
    """
    if not all(finite(step) for step in steps):
        return "fail"
    loss, gradient = False, False
    for step in steps:
        for found in (step.vs_control, step.vs_reference):
            of_loss, of_gradient = diverges(found, tolerances)
            loss, gradient = loss or of_loss, gradient or of_gradient
    verdicts: list[Verdict] = ["pass"]
    for wrong, rule in ((loss, loss_rule), (gradient, gradient_rule)):
        if wrong and batching:
            verdicts.append("warn")
        elif wrong:
            rules = [rule, rule.within(split)] if rule is not None else [UNEXPLAINED]
            # if the right rule seems to fit a divergence, then no rule explains it
            severities = [severity_of(UNEXPLAINED if one == TOKEN_MEAN else one, overrides) for one in rules]
            verdicts.append(min((_AS_VERDICT[severity] for severity in severities), key=_ORDER.index))
    return max(verdicts, key=_ORDER.index)


def judge_run(
    splits: Sequence[SplitResult],
    *,
    undecided: bool,
    allow_skipped: bool,
    strict: bool,
    warned: bool,
    expected: bool = False,
) -> tuple[Verdict, int]:
    """The verdict on the run and the exit code: 1 takes precedence over 3, and an undecided run never passes.

    Args:
        splits: every requested split.
        undecided: something that every split needs (the reference) is missing.
        allow_skipped: a split that was skipped for lack of devices does not prevent a pass.
        strict: a warning is a failure.
        warned: some finding is a warning.
        expected: some finding is a warning because its failure is expected; that is no failure when strict.
    """
    verdicts = [split.verdict for split in splits]
    warned = warned or any(split.verdict == "warn" and not split.expected for split in splits)
    expected = expected or any(split.expected for split in splits)
    if "fail" in verdicts or (strict and warned):
        return "fail", 1
    if "error" in verdicts or undecided or not any(split.status == "ran" for split in splits):
        return "error", 3
    if "skipped" in verdicts and not allow_skipped:
        return "skipped", 3
    return ("warn", 0) if warned or expected else ("pass", 0)
