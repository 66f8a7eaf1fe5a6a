"""One row of the report for each requested split: its numbers, its rules and its verdict."""

from __future__ import annotations

from accumcheck.judge.evidence import Evidence
from accumcheck.judge.explanation import Explanation
from accumcheck.judge.measure.epochs import Windows
from accumcheck.judge.verdict import judge_split
from accumcheck.record import SplitObservation, SplitResult, Verdict
from accumcheck.record.reported import UpdateRecord


def results_of(seen: Evidence, explanation: Explanation) -> tuple[SplitResult, ...]:
    """The results of every requested split, in the order of the observations."""
    return tuple(_result(one, seen, explanation) for one in seen.ran)


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
        verdict=verdict,
        duration_seconds=split.duration_seconds,
        steps=seen.records.get(split.split, ()),
        loss_rule=str(loss) if loss is not None else None,
        gradient_rule=str(gradient) if gradient is not None else None,
        updates=_updates(split),
        sample_weights=explanation.weights.get(split.split),
        trajectory=split.trajectory,
        log=split.log if split.status == "error" else "",
    )


def _updates(split: SplitObservation) -> tuple[UpdateRecord, ...]:
    """What the program's own optimizers would have done; nothing where the stack holds their settings."""
    # a Trainer is given a max_grad_norm at which it never clips
    clips = not split.training_arguments
    return tuple(
        UpdateRecord(step.step, step.learning_rates, step.clip_coefficient if clips else None)
        for step in split.steps
        if step.learning_rates
    )


def _verdict(split: SplitObservation, seen: Evidence, explanation: Explanation) -> Verdict:
    if split.status != "ran":
        return "skipped" if split.status == "skipped" else "error"
    if seen.random_by is not None:
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


def _undecided(seen: Evidence) -> str:
    """Why a split that ran is not judged."""
    return "no reference to compare with" if seen.random_by is None else "the forward pass is random"
