"""Derives the verdicts of a saved report again from its numbers and findings, by the rules of the judge."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from accumcheck.judge.measure.errors import loss_difference, relative
from accumcheck.judge.verdict import diverges, finite, judge_run, judge_split
from accumcheck.record import (
    Before,
    Divergence,
    ReferenceStep,
    Report,
    Severity,
    SplitResult,
    StepRecord,
    Tolerances,
    Verdict,
)
from accumcheck.record.rule import TOKEN_MEAN, Rule

EXIT_CODES: Mapping[Verdict, int] = {"pass": 0, "warn": 0, "fail": 1, "error": 3, "skipped": 3}
_BATCHING = "batch-dependent-model"
"""The finding that a difference comes from the model itself: each split then has its own reference."""


def contradicted_verdicts(report: Report) -> Iterator[str]:
    """The verdicts and exit codes that contradict the rest of the report: one line each, with its place first."""
    for at, split in enumerate(report.splits):
        possible, why = _possible(split, report)
        if split.expected and _is_expected(split, report) and possible & {"fail", "warn"}:
            possible = {"warn"}
        if split.verdict not in possible:
            due = " or ".join(sorted(possible))
            yield f"splits[{at}].verdict: found {split.verdict} for {split.split}, expected {due}: {why}"
    yield from _of_the_run(report)
    if report.before is not None:
        yield from _before(report.before)


def _is_expected(split: SplitResult, report: Report) -> bool:
    """Whether the configuration expects a failure of the split for the reason that is given."""
    entries = report.config.get("expect")
    return any(
        isinstance(one, dict)
        and str(one.get("reason")) in split.expected
        and (not (named := one.get("splits")) or (isinstance(named, list) and str(split.split) in named))
        for one in (entries if isinstance(entries, list) else ())
    )


def _of_the_run(report: Report) -> Iterator[str]:
    # with --allow-skipped, which a report does not record, a skipped split does not prevent a pass
    possible = {
        judge_run(
            report.splits,
            undecided=bool(_undecided(report)),
            allow_skipped=allowed,
            strict=report.strict,
            warned=any(finding.severity == "warn" and not finding.expected for finding in report.findings),
            expected=any(finding.expected for finding in report.findings),
        )
        for allowed in (False, True)
    }
    if (report.verdict, report.exit_code) not in possible:
        place = "exit_code" if report.verdict in {verdict for verdict, _ in possible} else "verdict"
        due = " or ".join(f"{verdict} with exit code {code}" for verdict, code in sorted(possible))
        found = f"{report.verdict} with exit code {report.exit_code}"
        yield f"{place}: found {found}, expected {due} from the splits, the findings and the reference"


def _before(before: Before) -> Iterator[str]:
    if before.exit_code != EXIT_CODES[before.verdict]:
        yield f"before.exit_code: found {before.exit_code}, but its verdict is {before.verdict}"
    if before.verdict != "fail" and any(split.verdict == "fail" for split in before.splits):
        yield f"before.verdict: found {before.verdict}, but one of its splits fails"


def _possible(split: SplitResult, report: Report) -> tuple[set[Verdict], str]:
    """The verdicts that a split can have, and why no others.

    The numbers give one. A finding can turn it into a failure, if no number shows the fault, or into a warning.
    """
    if split.status != "ran":
        return {split.status}, f"its status is {split.status}"
    named = {finding.severity for finding in report.findings if str(split.split) in finding.splits}
    if not split.steps or report.tolerances is None:
        return {"fail" if "fail" in named else "error"}, "nothing was compared"
    steps = _with_worse_numbers(split, report)
    off = next((text for at, step in enumerate(steps) if (text := _off(at, step, report.tolerances))), "")
    possible = {_by_numbers(split, steps, report.tolerances, report, batching=False)}
    why = off or "every number is within its tolerance"
    if any(finding.id == _BATCHING for finding in report.findings) and _follows_no_factor(split):
        possible.add(_by_numbers(split, steps, report.tolerances, report, batching=True))
    if "fail" in named:
        possible = possible | {"fail"} if off else {"fail"}
        why = off or "a finding of severity fail names it"
    elif "warn" in named and not off:
        possible.add("warn")  # its samples are not the control's in some step, or its log is wrong
    if undecided := _undecided(report):
        found: set[Verdict] = {"error" if verdict in ("pass", "warn") else verdict for verdict in possible}
        return (found | {"error"} if report.reference or "error" in named else found), undecided
    for gap, verdicts in ((_no_reference(split, report), {"pass", "warn"}), (_no_control(split, report), {"pass"})):
        if gap and possible & verdicts:
            possible, why = (possible - verdicts) or {"error"}, gap
    return possible, why


def _undecided(report: Report) -> str:
    """Why nothing can pass in this run (no reference, or a finding of severity error about the whole run), or empty."""
    if not report.reference:
        return "there is no reference"
    if any(finding.severity == "error" and not finding.splits for finding in report.findings):
        return "there is a finding of severity error about the whole run"
    return ""


def _by_numbers(
    split: SplitResult, steps: tuple[StepRecord, ...], tolerances: Tolerances, report: Report, *, batching: bool
) -> Verdict:
    given = report.config.get("severity")
    overrides: dict[str, Severity] = given if isinstance(given, dict) else {}
    known = {name: severity for name, severity in overrides.items() if _rule(name) is not None}
    rules = _rule(split.loss_rule), _rule(split.gradient_rule)
    return judge_split(split.split, steps, tolerances, *rules, known, batching=batching)


def _rule(name: str | None) -> Rule | None:
    """A rule by its name; None for one that this version does not know."""
    try:
        return None if name is None else Rule.parse(name)
    except ValueError:
        return None


def _follows_no_factor(split: SplitResult) -> bool:
    """Whether the split gives the model's own result, according to its rules."""
    rules = [_rule(name) for name in (split.loss_rule, split.gradient_rule) if name is not None]
    return all(rule is not None and rule.unscaled == str(TOKEN_MEAN) for rule in rules)


def _with_worse_numbers(split: SplitResult, report: Report) -> tuple[StepRecord, ...]:
    """The steps; a difference that can be recomputed replaces the written one if it is larger."""
    control = next((other.steps for other in report.splits if other.is_control), ())
    # with a warning, or a model that depends on its batch, the reference may differ from the report's
    own = split.verdict == "pass" and not any(finding.id == _BATCHING for finding in report.findings)
    rounding = report.tolerances.loss_rounding if report.tolerances is not None else 0.0
    found = []
    for at, step in enumerate(split.steps):
        if at < len(control):
            step = replace(step, vs_control=_worse(step.vs_control, step, control[at], 2 * rounding))
        if own and at < len(report.reference):
            step = replace(step, vs_reference=_worse(step.vs_reference, step, report.reference[at], rounding))
        found.append(step)
    return tuple(found)


def _worse(written: Divergence, step: StepRecord, right: StepRecord | ReferenceStep, rounding: float) -> Divergence:
    return replace(
        written,
        loss=_larger(written.loss, loss_difference(step.loss, right.loss, rounding)),
        grad_norm=_larger(written.grad_norm, relative(step.grad_norm, right.grad_norm)),
    )


def _larger(written: float | None, found: float | None) -> float | None:
    """The larger of two differences, with NaN as the largest; None if not compared."""
    if written is None or found is None:
        return written
    return math.nan if math.isnan(written) or math.isnan(found) else max(written, found)


def _off(at: int, step: StepRecord, tolerances: Tolerances) -> str:
    """The first number of a step outside its tolerance, in words; empty if all are within."""
    if not finite(step):
        return f"steps[{at}]: loss {step.loss} and gradient norm {step.grad_norm} are not both finite"
    for against, found in (("vs_control", step.vs_control), ("vs_reference", step.vs_reference)):
        if any(diverges(found, tolerances)):
            for name in ("loss", "grad_norm", "gradient", "weights"):
                value, allowed = getattr(found, name), getattr(tolerances, name)
                if value is not None and allowed is not None and not value <= allowed:
                    return f"steps[{at}].{against}.{name} is {value:.3g}, but only {allowed:.3g} is allowed"
            return f"steps[{at}].{against}.sample is {found.sample:.3g}, but only 1 is allowed"
    return ""


def _no_reference(split: SplitResult, report: Report) -> str:
    """Why a split does not agree with the reference although no number shows it; else empty."""
    if len(split.steps) != len(report.reference):
        return f"it has {len(split.steps)} steps, and the reference has {len(report.reference)}"
    for at, step in enumerate(split.steps):
        if step.vs_reference.gradient is None or (step.loss is not None and step.vs_reference.loss is None):
            return f"steps[{at}].vs_reference is not known"
        if step.loss is None and report.program is None:
            return f"steps[{at}].loss is not known"
    return ""


def _no_control(split: SplitResult, report: Report) -> str:
    """Why a split does not agree with a control that passes although no number shows it; else empty."""
    control = next((other for other in report.splits if other.is_control), None)
    if control is None or control.verdict != "pass":
        return ""
    for at, step in enumerate(split.steps):
        if step.vs_control.gradient is None or step.grad_norm is None or step.vs_control.grad_norm is None:
            return f"steps[{at}].vs_control is not known"
    return ""
