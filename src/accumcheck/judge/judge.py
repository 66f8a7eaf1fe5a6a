"""From observations to results: divergences, weights, rules, verdicts and findings. Pure; nothing is run here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accumcheck.config.model import CheckConfig
from accumcheck.judge import findings as say
from accumcheck.judge.batching import (
    batching_finding,
    blame_term,
    explained_by_batching,
)
from accumcheck.judge.beside import beside, due, records_of, truths_of, windows_in
from accumcheck.judge.compare import (
    Recovery,
    recover,
    with_weights,
)
from accumcheck.judge.effects import divergences
from accumcheck.judge.epochs import Windows, divisor_finding, has_short_step
from accumcheck.judge.explanation import explain_run, rule_of
from accumcheck.judge.leaks import leak_finding, leaks_in
from accumcheck.judge.rules import UNEXPLAINED
from accumcheck.judge.structure import structural_faults
from accumcheck.judge.tolerance import measured, resolve
from accumcheck.judge.verdict import judge_run, judge_split
from accumcheck.judge.why import traced
from accumcheck.record import (
    Finding,
    ReferenceObservation,
    ReferenceStep,
    Split,
    SplitObservation,
    SplitResult,
    Tolerances,
    Verdict,
)


@dataclass(frozen=True)
class Judgement:
    """All of a report that is judged."""

    verdict: Verdict
    exit_code: int
    splits: tuple[SplitResult, ...]
    reference: tuple[ReferenceStep, ...]
    tolerances: Tolerances
    loss_rule: str | None
    gradient_rule: str | None
    alternatives: dict[str, list[str]]
    findings: tuple[Finding, ...]


def judge(
    check: CheckConfig,
    observations: Sequence[SplitObservation],
    control: Split,
    reference: ReferenceObservation | None,
    *,
    no_reference: str = "",
    allow_skipped: bool = False,
    strict: bool = False,
) -> Judgement:
    """Judge a run.

    Args:
        check: the resolved configuration.
        observations: what every requested split gave.
        control: the split that the others are compared with.
        reference: the independent truth, or None where it could not be computed.
        no_reference: why there is no reference.
        allow_skipped: see `judge_run`.
        strict: see `judge_run`.
    """
    if reference is not None and len(reference.membership) < check.steps:
        no_reference = f"it covers {len(reference.membership)} of {check.steps} steps: a split saw no more"
        reference = None
    ran = [_completed(observation, check) for observation in observations]
    good = [observation for observation in ran if observation.status == "ran"]
    losses = [step.loss for observation in good for step in observation.steps]
    alone = truths_of(reference, check.steps)
    recovered: list[Recovery] = []
    if good and reference is not None and not reference.batched:  # else a gradient is no sum over its samples
        for step, truth in enumerate(alone):
            recovered.append(recover(step, [split for split in good if step < len(split.steps)], truth, reference))
    tolerances = resolve(check.tolerances, _precision(check, reference), measured(reference, recovered), losses)

    windows = windows_in(good, reference, check)
    truths = {split.split: beside(split, alone, reference, windows) for split in ran} if reference is not None else {}
    records = {
        split.split: records_of(split, good, control, truths.get(split.split, ()), reference, windows) for split in good
    }
    if recovered:
        records = {
            split: with_weights(mine, recovered, truths[split], split, control) for split, mine in records.items()
        }
    explanation = explain_run(good, recovered, truths, reference, tolerances)
    by_loss, by_gradient = explanation.loss, explanation.gradient
    batching = explained_by_batching(good, explanation.batch)

    found: list[Finding] = []
    faulty = structural_faults(good, reference, tolerances, windows, found)
    leaks = {
        split.split: leaked
        for split in good
        if reference is not None and split.split not in faulty
        if (leaked := leaks_in(split, recovered, reference, tolerances.gradient))
    }
    if leaks:
        found.append(leak_finding(leaks))
        faulty |= dict.fromkeys(leaks, UNEXPLAINED)
    results: list[SplitResult] = []
    for split in ran:
        mine = records.get(split.split, ())
        rule_of_loss, rule_of_gradient = rule_of(by_loss, split.split), rule_of(by_gradient, split.split)
        verdict: Verdict
        if split.status != "ran":
            verdict = "skipped" if split.status == "skipped" else "error"
        elif split.split in faulty:
            verdict = "fail"
        else:
            own = split.split in batching
            rules = (rule_of_loss, rule_of_gradient)
            verdict = judge_split(split.split, mine, tolerances, *rules, check.severity, batching=own)
            if verdict == "pass" and windows.get(split.split, Windows()).off_control:
                verdict = "warn"
            if verdict in ("pass", "warn") and reference is None:
                verdict = "error"
        results.append(
            SplitResult(
                split=split.split,
                is_control=split.split == control,
                status=split.status,
                reason=split.reason or ("no reference to compare with" if verdict == "error" else ""),
                verdict=verdict,
                duration_seconds=split.duration_seconds,
                steps=mine,
                loss_rule=rule_of_loss,
                gradient_rule=faulty.get(split.split) or rule_of_gradient,
                sample_weights=explanation.weights.get(split.split),
                trajectory=split.trajectory,
                log=split.log if split.status == "error" else "",
            )
        )
    if reference is not None and reference.batch_effect > 0:
        found.append(batching_finding(reference, good, control))
    divided = {split for split, fit in (by_gradient.of if by_gradient else {}).items() if fit.tail_over_k}
    if short := [split.split for split in good if split.split in divided and has_short_step(split)]:
        found.append(divisor_finding(short))
    divided = {split for split in short if by_gradient and by_gradient.of[split].rule == UNEXPLAINED}
    named = {*faulty, *batching, *divided}  # by a finding of their own
    explained = [result for result in results if result.split not in named]
    diverging = divergences(explained, truths, control, tolerances)
    found += [traced(blame_term(finding, explanation.batch, reference), good, reference) for finding in diverging]
    if reference is None and good:
        found.append(say.no_reference_finding(no_reference or "its process left no result"))
    verdict, exit_code = judge_run(
        results,
        undecided=reference is None,
        allow_skipped=allow_skipped,
        strict=strict,
        warned=any(finding.severity == "warn" for finding in found),
    )
    return Judgement(
        verdict=verdict,
        exit_code=exit_code,
        splits=tuple(results),
        reference=tuple(truth.as_record(step) for step, truth in enumerate(due(control, alone, reference), start=1)),
        tolerances=tolerances,
        loss_rule=by_loss.run.rule if by_loss else None,
        gradient_rule=next(iter(faulty.values()), by_gradient.run.rule) if by_gradient else None,
        alternatives={
            "loss": list(by_loss.run.alternatives) if by_loss else [],
            "gradient": list(by_gradient.run.alternatives) if by_gradient else [],
        },
        findings=tuple(found),
    )


def _completed(observation: SplitObservation, check: CheckConfig) -> SplitObservation:
    """The observation, as an error if it lacks what every split that ran must have."""
    if observation.status != "ran":
        return observation
    reason, steps = "", len(observation.steps)
    if steps != check.steps and (steps == 0 or check.data.epochs is None):
        reason = f"{steps} optimizer steps were seen, {check.steps} were asked for"
    elif any(not step.gradients for step in observation.steps):
        reason = "no gradient was seen"
    elif any(step.loss is None for step in observation.steps) and not check.runs_program:
        reason = "the stack reported no loss"
    if not reason:
        return observation
    return SplitObservation(observation.split, "error", reason, observation.log, observation.duration_seconds)


def _precision(check: CheckConfig, reference: ReferenceObservation | None) -> str:
    """What the model computes in; of a program's own model the reference says it."""
    return reference.model.dtype if check.runs_program and reference is not None else check.compute_dtype
