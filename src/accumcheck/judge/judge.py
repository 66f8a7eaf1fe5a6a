"""From observations to results: divergences, weights, rules, verdicts and findings. Pure; nothing is run here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from accumcheck.config.model import CheckConfig
from accumcheck.judge import findings as say
from accumcheck.judge.batching import (
    BatchRules,
    batch_rules,
    batched_truth,
    batching_finding,
    blame_term,
    explained_by_batching,
)
from accumcheck.judge.compare import (
    Recovery,
    Truth,
    compare_step,
    of_its_own,
    recover,
    truth_of,
    with_weights,
)
from accumcheck.judge.effects import divergences
from accumcheck.judge.epochs import Windows, divisor_finding, fed_truth, has_short_step, other_batches, windows_of
from accumcheck.judge.explain import Rules, gradient_rules, loss_rules
from accumcheck.judge.leaks import leak_finding, leaks_in
from accumcheck.judge.rules import UNEXPLAINED
from accumcheck.judge.structure import structural_faults
from accumcheck.judge.tolerance import measured, resolve
from accumcheck.judge.verdict import judge_run, judge_split
from accumcheck.judge.weights import summarise
from accumcheck.judge.why import traced
from accumcheck.record import (
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
    alone = _truths(reference, check.steps)
    recovered: list[Recovery] = []
    if good and reference is not None and not reference.batched:  # else a gradient is no sum over its samples
        for step, truth in enumerate(alone):
            recovered.append(recover(step, [split for split in good if step < len(split.steps)], truth, reference))
    tolerances = resolve(check.tolerances, _precision(check, reference), measured(reference, recovered), losses)

    windows = _windows(good, reference, check)
    truths = {split.split: _beside(split, alone, reference, windows) for split in ran} if reference is not None else {}
    records = {
        split.split: _records(split, good, control, truths.get(split.split, ()), reference, windows) for split in good
    }
    if recovered:
        records = {
            split: with_weights(mine, recovered, truths[split], split, control) for split, mine in records.items()
        }
    explanation = _explain(good, recovered, truths, reference, tolerances)
    weights, by_loss, by_gradient = explanation.weights, explanation.loss, explanation.gradient
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
        rule_of_loss = by_loss.of[split.split].rule if by_loss and split.split in by_loss.of else None
        rule_of_gradient = by_gradient.of[split.split].rule if by_gradient and split.split in by_gradient.of else None
        verdict: Verdict
        if split.status != "ran":
            verdict = "skipped" if split.status == "skipped" else "error"
        elif split.split in faulty:
            verdict = "fail"
        else:
            verdict = judge_split(
                mine,
                tolerances,
                rule_of_loss,
                rule_of_gradient,
                check.severity,
                batching=split.split in batching,
            )
            made = windows.get(split.split, Windows())
            if verdict == "pass" and (made.padding or made.others):
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
                sample_weights=weights.get(split.split),
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
        reference=tuple(truth.as_record(step) for step, truth in enumerate(_due(control, alone, reference), start=1)),
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


def _truths(reference: ReferenceObservation | None, steps: int) -> list[Truth]:
    if reference is None:
        return []
    return [truth_of(reference, step) for step in range(min(steps, len(reference.membership)))]


def _windows(
    good: Sequence[SplitObservation], reference: ReferenceObservation | None, check: CheckConfig
) -> dict[Split, Windows]:
    """With whole epochs, what each split made of them; with a program, which of its batches are not the control's."""
    if reference is None:
        return {}
    if check.runs_program:
        found = {split.split: other_batches(split, reference.membership) for split in good}
        return {split: windows for split, windows in found.items() if windows is not None}
    if check.data.epochs is None:
        return {}
    membership, samples, epochs = reference.membership, check.sample_count, check.data.epochs
    return {split.split: windows_of(split, membership, samples, epochs) for split in good}


def _due(split: Split, alone: Sequence[Truth], reference: ReferenceObservation | None) -> list[Truth]:
    """The truth of every step for one split: the samples', but for a model that depends on its batch."""
    if reference is None:
        return []
    size = split.per_device_train_batch_size
    return [batched_truth(reference, step, size, truth) for step, truth in enumerate(alone, start=1)]


def _beside(
    split: SplitObservation,
    alone: Sequence[Truth],
    reference: ReferenceObservation,
    windows: Mapping[Split, Windows],
) -> list[Truth]:
    """What each step of a split is compared with: the truth of what it was fed, where samples were repeated."""
    due = _due(split.split, alone, reference)
    made = windows.get(split.split, Windows())
    for step in (*made.padding, *made.others):
        due[step] = fed_truth(reference, split.steps[step], due[step])
    return due


def _records(
    split: SplitObservation,
    good: Sequence[SplitObservation],
    control: Split,
    truths: Sequence[Truth],
    reference: ReferenceObservation | None,
    windows: Mapping[Split, Windows],
) -> tuple[StepRecord, ...]:
    beside: StepObservation | None
    records = []
    steps = next((other.steps for other in good if other.split == control), ())
    for position, observed in enumerate(split.steps):
        both = [windows[one] for one in (split.split, control) if one in windows]
        apart = any(position in made.padding or position in made.others for made in both)
        beside = steps[position] if position < len(steps) and not apart else None
        truth = truths[position] if position < len(truths) else None
        records.append(compare_step(observed, beside, truth, reference))
    return tuple(records)


@dataclass(frozen=True)
class _Explanation:
    """Why the numbers are what they are; without a reference nothing is known.

    ``batch`` is None for a model that treats each sample for itself; ``weights`` are empty for one that does not.
    """

    weights: Mapping[Split, SampleWeights] = field(default_factory=dict)
    loss: Rules | None = None
    gradient: Rules | None = None
    batch: BatchRules | None = None


def _explain(
    good: Sequence[SplitObservation],
    recovered: Sequence[Recovery],
    truths: Mapping[Split, Sequence[Truth]],
    reference: ReferenceObservation | None,
    tolerances: Tolerances,
) -> _Explanation:
    """Recovered weights per split, and the rules of loss and gradient."""
    if reference is None or not good:
        return _Explanation()
    if reference.batched:
        rules = batch_rules(good, reference, tolerances)
        return _Explanation({}, rules.loss, rules.gradient, rules)
    weights: dict[Split, SampleWeights] = {}
    for split in good:
        found = [
            of_its_own(step.of[split.split], split.steps[position], truths[split.split][position], step.truth.tokens)
            for position, step in enumerate(recovered)
            if split.split in step.of
        ]
        if found:
            weights[split.split] = summarise(
                [step.weights for step in found],
                [step.ideal for step in found],
                [step.members for step in found],
                [step.residual for step in found],
                max(step.condition for step in found),
            )
    by_gradient = gradient_rules(good, recovered, weights, reference, tolerances)
    told = any(step.loss is not None for split in good for step in split.steps)  # a loop of one's own may not tell
    by_loss = loss_rules(good, recovered, by_gradient, reference, tolerances) if told else None
    return _Explanation(weights, by_loss, by_gradient)
