"""From observations to results: divergences, weights, rules, verdicts and findings. Pure; nothing is run here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.config.model import CheckConfig
from accumcheck.judge import findings as say
from accumcheck.judge.compare import (
    Recovered,
    Truth,
    compare_step,
    process_spread,
    recover,
    samples_of,
    truth_of,
)
from accumcheck.judge.explain import Rules, gradient_rules, loss_rules
from accumcheck.judge.rules import UNEXPLAINED, Fit
from accumcheck.judge.tolerance import resolve
from accumcheck.judge.verdict import diverges, finite, judge_run, judge_split, severity_of
from accumcheck.judge.weights import summarise
from accumcheck.record import (
    Divergence,
    Finding,
    ReferenceObservation,
    ReferenceStep,
    SampleWeights,
    Split,
    SplitObservation,
    SplitResult,
    StepObservation,
    StepRecord,
    Tolerances,
    Verdict,
)

NO_NOISE = Divergence(None, None, None)


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
    ran = [_completed(observation, check.steps) for observation in observations]
    good = [observation for observation in ran if observation.status == "ran"]
    losses = [step.loss for observation in good for step in observation.steps]
    noise = reference.noise if reference is not None else NO_NOISE
    tolerances = resolve(check.tolerances, check.model.dtype, noise, losses)

    truths = _truths(reference, check.steps)
    records = {split.split: _records(split, good, control, truths, reference) for split in good}
    weights, by_loss, by_gradient = _explain(good, truths, reference, tolerances)

    found: list[Finding] = []
    faulty = _structural_faults(good, reference, tolerances, found)
    results: list[SplitResult] = []
    for split in ran:
        mine = records.get(split.split, ())
        rule_of_loss = by_loss.of[split.split].rule if by_loss and split.split in by_loss.of else None
        rule_of_gradient = by_gradient.of[split.split].rule if by_gradient and split.split in by_gradient.of else None
        verdict: Verdict
        if split.status != "ran":
            verdict = "skipped" if split.status == "skipped" else "error"
        elif split.split in faulty:
            verdict = "fail"
        else:
            verdict = judge_split(mine, tolerances, rule_of_loss, rule_of_gradient, check.severity)
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
                sample_weights=weights.get(split.split),
                trajectory=split.trajectory,
                log=split.log if split.status == "error" else "",
            )
        )
    found += _divergences(results, truths, control, tolerances, check)
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
        reference=tuple(truth.as_record(step) for step, truth in enumerate(truths, start=1)),
        tolerances=tolerances,
        loss_rule=by_loss.run.rule if by_loss else None,
        gradient_rule=by_gradient.run.rule if by_gradient else None,
        alternatives={
            "loss": list(by_loss.run.alternatives) if by_loss else [],
            "gradient": list(by_gradient.run.alternatives) if by_gradient else [],
        },
        findings=tuple(found),
    )


def _completed(observation: SplitObservation, steps: int) -> SplitObservation:
    """The observation, as an error if it lacks what every split that ran must have."""
    if observation.status != "ran":
        return observation
    reason = ""
    if len(observation.steps) != steps:
        reason = f"{len(observation.steps)} optimizer steps were seen, {steps} were asked for"
    elif any(not step.gradients for step in observation.steps):
        reason = "no gradient was seen"
    elif any(step.loss is None for step in observation.steps):
        reason = "the stack reported no loss"
    if not reason:
        return observation
    return SplitObservation(observation.split, "error", reason, observation.log, observation.duration_seconds)


def _truths(reference: ReferenceObservation | None, steps: int) -> list[Truth]:
    if reference is None:
        return []
    return [truth_of(reference, step) for step in range(min(steps, len(reference.membership)))]


def _records(
    split: SplitObservation,
    good: Sequence[SplitObservation],
    control: Split,
    truths: Sequence[Truth],
    reference: ReferenceObservation | None,
) -> tuple[StepRecord, ...]:
    beside: StepObservation | None
    records = []
    for position, observed in enumerate(split.steps):
        beside = next((other.steps[position] for other in good if other.split == control), None)
        truth = truths[position] if position < len(truths) else None
        records.append(compare_step(observed, beside, truth, reference))
    return tuple(records)


def _explain(
    good: Sequence[SplitObservation],
    truths: Sequence[Truth],
    reference: ReferenceObservation | None,
    tolerances: Tolerances,
) -> tuple[dict[Split, SampleWeights], Rules | None, Rules | None]:
    """Recovered weights per split, and the rules of loss and gradient."""
    if reference is None or not good:
        return {}, None, None
    recovered: list[tuple[Mapping[Split, Recovered], npt.NDArray[np.float64]]] = [
        recover(step, good, truth, reference) for step, truth in enumerate(truths)
    ]
    weights: dict[Split, SampleWeights] = {}
    for split in good:
        found = [step[split.split] for step, _ in recovered if split.split in step]
        if found:
            weights[split.split] = summarise(
                [step.weights for step in found],
                [step.ideal for step in found],
                [step.members for step in found],
                [step.residual for step in found],
                max(step.condition for step in found),
            )
    return weights, loss_rules(good, reference, tolerances), gradient_rules(good, recovered, reference, tolerances)


def _structural_faults(
    good: Sequence[SplitObservation],
    reference: ReferenceObservation | None,
    tolerances: Tolerances,
    found: list[Finding],
) -> dict[Split, str]:
    """Faults that no weighting describes: other samples, processes that disagree, a log that is not the gradient.

    Adds to ``found``; returns the splits that fail for it, with what to call their gradient.
    """
    faulty: dict[Split, str] = {}
    strange: dict[str, list[str]] = {}
    apart: dict[str, float] = {}
    misreported: dict[str, float] = {}
    for split in good:
        for position, step in enumerate(split.steps):
            if words := _sample_fault(step, reference.membership[position] if reference else None, split.split):
                strange.setdefault(words, [])
                if str(split.split) not in strange[words]:
                    strange[words].append(str(split.split))
                faulty.setdefault(split.split, _sample_rule(step))
            spread = process_spread(step)
            if not spread <= tolerances.gradient and not math.isnan(spread):
                apart[str(split.split)] = max(spread, apart.get(str(split.split), 0.0))
                faulty[split.split] = "unsynchronised"
            logged = step.logged_grad_norm
            if logged is not None and math.isfinite(logged) and step.grad_norms[0] > 0:
                off = abs(logged - step.grad_norms[0]) / step.grad_norms[0]
                if off > max(tolerances.grad_norm, 1e-4):
                    misreported[str(split.split)] = max(off, misreported.get(str(split.split), 0.0))
    found += [say.samples_finding(splits, words) for words, splits in strange.items()]
    if apart:
        found.append(say.unsynchronised_finding(list(apart), max(apart.values())))
    if misreported:
        found.append(say.logged_norm_finding(list(misreported), max(misreported.values())))
    if reference is not None and reference.batch_effect > 0:
        found.append(say.batch_effect_finding(reference.batch_effect))
    return faulty


def _sample_fault(step: StepObservation, members: Sequence[int] | None, split: Split) -> str:
    """What is wrong with the samples that a step was fed, or nothing."""
    fed = Counter(samples_of(step))
    size = split.global_batch_size
    unknown, total = fed.pop(-1, 0), sum(fed.values())
    if unknown:
        return f"step {step.step} was fed {unknown} rows that are not in the data"
    if total != size:
        return f"step {step.step} was fed {total} samples, the global batch has {size}"
    if repeated := sorted(index for index, times in fed.items() if times > 1):
        return f"step {step.step} was fed sample {repeated[0]} {fed[repeated[0]]} times"
    if members is not None and set(fed) != set(members):
        missing = sorted(set(members) - set(fed))
        return f"step {step.step} was fed other samples than the reference step ({len(missing)} of {size} differ)"
    return ""


def _sample_rule(step: StepObservation) -> str:
    repeated = any(times > 1 for times in Counter(samples_of(step)).values())
    return "duplicated-samples" if repeated else "dropped-samples"


def _divergences(
    results: Sequence[SplitResult],
    truths: Sequence[Truth],
    control: Split,
    tolerances: Tolerances,
    check: CheckConfig,
) -> list[Finding]:
    """One finding for each pair of rules that diverging splits follow, the most splits first."""
    groups: dict[tuple[str | None, str | None], list[SplitResult]] = {}
    for result in results:
        if result.steps and _any_divergence(result, tolerances):
            groups.setdefault((result.loss_rule, result.gradient_rule), []).append(result)
    against = "reference" if truths else "control"
    found = []
    for (loss_rule, gradient_rule), members in sorted(groups.items(), key=lambda group: -len(group[1])):
        severities = {severity_of(rule or UNEXPLAINED, check.severity) for rule in (loss_rule, gradient_rule)}
        severity = "fail" if "fail" in severities or any(member.verdict == "fail" for member in members) else "warn"
        if all(member.verdict == "pass" for member in members):
            severity = "ignore"
        base = None if truths else next((other for other in results if other.split == control), None)
        effects = [_effect(member, truths, base) for member in members]
        found.append(
            say.divergence_finding("fail" if severity == "fail" else "warn", effects, loss_rule, gradient_rule, against)
        ) if severity != "ignore" else None
    return found


def _any_divergence(result: SplitResult, tolerances: Tolerances) -> bool:
    return any(
        not finite(step) or any(diverges(step.vs_control, tolerances)) or any(diverges(step.vs_reference, tolerances))
        for step in result.steps
    )


def _effect(result: SplitResult, truths: Sequence[Truth], base: SplitResult | None) -> say.Effect:
    """The split's ratios to the truth (or to the base, where there is no truth), in its worst step."""

    def off(step: StepRecord) -> float:
        found = step.vs_reference if truths else step.vs_control
        known = [value for value in (found.loss, found.gradient) if value is not None]
        return math.inf if any(math.isnan(value) for value in known) else max(known, default=0.0)

    worst = max(result.steps, key=off)
    right: Truth | StepRecord | None = (
        truths[worst.step - 1] if truths else (base.steps[worst.step - 1] if base else None)
    )
    divergence = worst.vs_reference if truths else worst.vs_control
    return say.Effect(
        split=result.split,
        loss=_ratio(worst.loss, right.loss if right else None),
        grad_norm=_ratio(worst.grad_norm, right.grad_norm if right else None),
        gradient=divergence.gradient,
    )


def _ratio(value: float | None, right: float | None) -> float | None:
    return None if value is None or not right else value / right


__all__ = ["Fit", "Judgement", "judge"]
