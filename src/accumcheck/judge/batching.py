"""The rules of a model that depends on its batch: told beside its own micro-batches, not beside single samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from accumcheck.judge.explain import Rules, explain
from accumcheck.judge.rules import FAMILY, UNEXPLAINED, Fit, Rule
from accumcheck.record import BatchedStep, ReferenceObservation, Split, SplitObservation, StepObservation, Tolerances


def batch_rules(
    splits: Sequence[SplitObservation], reference: ReferenceObservation, tolerances: Tolerances
) -> tuple[Rules, Rules]:
    """Explain losses and gradients by ``reference.batched``: the model's own, times or over ``k`` and ``n``.

    Returns:
        The rules of the loss, and of the gradient by its norm.
    """
    right = {(step.base, step.step, step.size): step for step in reference.batched}

    def fitted(of: Callable[[StepObservation], float | None], own: Callable[[BatchedStep], float], off: float) -> Rules:
        def fits(rule: Rule, split: SplitObservation, step: StepObservation) -> bool:
            at = (step.step, split.split.per_device_train_batch_size)
            beside = right.get((rule.base, *at))
            if beside is None and rule.base == "microbatch-mean":  # every micro-batch predicts as much: the same
                beside = right.get(("token-mean", *at))
            observed = of(step)
            if beside is None or observed is None or not _same_batches(step, beside):
                return False
            predicted = rule.factor(split.split) * own(beside)
            return abs(observed - predicted) <= off * abs(predicted)

        def fit(chosen: Sequence[SplitObservation]) -> Fit:
            steps = [(split, step) for split in chosen for step in split.steps]
            fitting = [str(rule) for rule in FAMILY if all(fits(rule, split, step) for split, step in steps)]
            return Fit(fitting[0], tuple(fitting[1:])) if fitting else Fit(UNEXPLAINED)

        return explain(splits, fit, lambda _: UNEXPLAINED)

    return (
        fitted(lambda step: step.loss, lambda step: step.loss, tolerances.loss),
        fitted(
            lambda step: step.grad_norms[0],
            lambda step: step.grad_norm,
            max(tolerances.grad_norm, tolerances.gradient),
        ),
    )


def explained_by_batching(
    splits: Sequence[SplitObservation],
    reference: ReferenceObservation | None,
    loss: Rules | None,
    gradient: Rules | None,
) -> frozenset[Split]:
    """The splits that give what the model gives by itself in their micro-batches: no stack did anything wrong."""
    if reference is None or not reference.batched or loss is None or gradient is None:
        return frozenset()
    right = [rule for rule in FAMILY if rule.base == "token-mean"]

    def alone(split: Split) -> bool:
        unscaled = {str(rule) for rule in right if rule.factor(split) == 1}
        return {loss.of[split].rule, gradient.of[split].rule} <= unscaled

    return frozenset(split.split for split in splits if alone(split.split))


def _same_batches(step: StepObservation, right: BatchedStep) -> bool:
    fed = sorted(tuple(sorted(batch.samples)) for batch in step.micro_batches)
    return fed == sorted(tuple(sorted(batch)) for batch in right.micro_batches)
