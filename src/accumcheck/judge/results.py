"""One row of the report for each requested split: its numbers, its rules and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accumcheck.judge.evidence import Evidence
from accumcheck.judge.explanation import Explanation
from accumcheck.judge.measure.each import each
from accumcheck.judge.measure.epochs import Windows
from accumcheck.judge.measure.not_finite import words_of_split
from accumcheck.judge.measure.updates import change_difference, clear_to
from accumcheck.judge.verdict import judge_split
from accumcheck.record import Finding, SplitObservation, SplitResult, Verdict
from accumcheck.record.observed import NEVER_CLIPS
from accumcheck.record.reported import UpdateRecord, WeightChange


def results_of(seen: Evidence, explanation: Explanation) -> tuple[SplitResult, ...]:
    """The results of every requested split, in the order of the observations."""
    return tuple(each(lambda one: _result(one, seen, explanation), seen.ran))


def with_reasons(results: Sequence[SplitResult], findings: Sequence[Finding]) -> tuple[SplitResult, ...]:
    """The results with a reason for every one that fails, or could not be decided.

    It is the summary of the worst finding about the split, else of one about the run as a whole.

    Args:
        results: of every requested split.
        findings: in the order reported.
    """
    return tuple(
        replace(result, reason=_worst(result, findings))
        if result.verdict in ("fail", "error", "skipped") and not result.reason.strip()
        else result
        for result in results
    )


def _worst(result: SplitResult, findings: Sequence[Finding]) -> str:
    own = [finding for finding in findings if str(result.split) in finding.splits]
    of_run = [finding for finding in findings if not finding.splits]
    for severity in ("fail", "error", "warn"):
        for finding in (*own, *of_run):
            if finding.severity == severity and finding.summary.strip():
                return finding.summary
    if result.status == "ran" and result.verdict == "fail":
        return "its numbers differ by more than the tolerance"
    return "it ended without an error message; see its log"


def _result(split: SplitObservation, seen: Evidence, explanation: Explanation) -> SplitResult:
    verdict = _verdict(split, seen, explanation)
    loss = explanation.loss_of(split.split)
    gradient = seen.condemned.get(split.split) or explanation.gradient_of(split.split)
    return SplitResult(
        split=split.split,
        is_control=split.split == seen.control,
        status=split.status,
        reason=split.reason or (_undecided(seen) if verdict == "error" else ""),
        reason_kind=split.reason_kind or ("refused" if verdict == "error" else None),
        traceback=split.traceback or _of_reference(verdict, seen),
        verdict=verdict,
        duration_seconds=split.duration_seconds,
        steps=seen.records.get(split.split, ()),
        loss_rule=str(loss) if loss is not None else None,
        gradient_rule=str(gradient) if gradient is not None else None,
        updates=_updates(split, seen),
        sample_weights=explanation.weights.get(split.split),
        parameters=seen.parameters.get(split.split, ()),
        trajectory=split.trajectory,
        log=split.log if split.status == "error" else "",
    )


def _updates(split: SplitObservation, seen: Evidence) -> tuple[UpdateRecord, ...]:
    """What the stack's own optimizers did before it was undone; empty if their settings were overridden."""
    first = next((one for one in seen.good if one.split == seen.control), None)
    control, weights = (first.steps, first.weights) if first is not None else ((), None)
    clips = split.training_arguments.get("max_grad_norm") != NEVER_CLIPS
    found = []
    for at, step in enumerate(split.steps):
        if not step.learning_rates:
            continue
        change = None
        if step.change_norm is not None:
            due = control[at] if at < len(control) else None
            error = None if due is None else change_difference(step, due, clear_to(seen.tolerances), weights)
            change = WeightChange(step.change_norm, error)
        clip = step.clip_coefficient if clips else None
        found.append(UpdateRecord(step.step, step.learning_rates, clip, change))
    return tuple(found)


def _verdict(split: SplitObservation, seen: Evidence, explanation: Explanation) -> Verdict:
    if split.status != "ran":
        return "skipped" if split.status == "skipped" else "error"
    if seen.random_by is not None:
        return "error"
    if seen.reference is None and seen.reference_not_finite and words_of_split(split):
        return "error"
    if split.split in seen.condemned or split.split in seen.failed:
        return "fail"
    verdict = judge_split(
        split.split,
        seen.records.get(split.split, ()),
        seen.tolerances,
        explanation.loss_of(split.split),
        explanation.gradient_of(split.split),
        seen.check.severity,
        batching=split.split in explanation.by_batching,
    )
    if verdict == "pass" and seen.windows.get(split.split, Windows()).off_control:
        verdict = "warn"
    if verdict in ("pass", "warn") and seen.reference is None:
        verdict = "error"
    return verdict


def _of_reference(verdict: Verdict, seen: Evidence) -> tuple[str, ...]:
    """The traceback of the reference's process, if a split is not judged because of it."""
    return seen.reference_traceback if verdict == "error" and seen.reference is None else ()


def _undecided(seen: Evidence) -> str:
    """Why a split that ran is not judged."""
    if seen.reference is None and seen.reference_not_finite:
        return "the reference's own numbers are not finite"
    if seen.random_by is None:
        return "no reference to compare with"
    return f"the forward pass{f' of {seen.random_in}' * bool(seen.random_in)} is random"
