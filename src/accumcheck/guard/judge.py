"""Judge one optimizer step from the observations of all processes, with findings as in a report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.guard.watch import Seen
from accumcheck.judge.causes.traced import traced
from accumcheck.judge.detectors.divergence import divergence_finding
from accumcheck.judge.rules.family import FAMILY
from accumcheck.judge.rules.step import Step
from accumcheck.known.matching import Fitted, circumstances, cite
from accumcheck.record import (
    Coordinates,
    Divergence,
    Environment,
    Finding,
    LossProbe,
    MicroBatch,
    ModelRecord,
    ReferenceObservation,
    Split,
    SplitObservation,
    StackBelief,
    StepObservation,
)
from accumcheck.record.rule import BASES, UNEXPLAINED, Rule

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weighed:
    """One optimizer step. The rows of its global batch are numbered; the loss of a row is the mean of its micro-batch.

    ``weights``: the weight of each row in the gradient; None if they were not seen; ``right``: the right weights;
    ``loss``: the loss that should be reported.
    """

    number: int
    step: Step
    losses: Weights
    weights: Weights | None
    right: Weights
    loss: float


def weigh(number: int, k: int, processes: Sequence[Sequence[Seen]]) -> Weighed | None:
    """Combine the observations of all processes for step ``number`` with ``k`` accumulation steps.

    The gradient of a micro-batch is that of its mean loss, times the model's factor on the mean, times the stack's
    factor on the model's loss, divided by the number of processes, because gradients are averaged over processes.
    """
    n = len(processes)
    batches: list[MicroBatch] = []
    tokens: list[int] = []
    labels: list[int] = []
    losses: list[float] = []
    weights: list[float] = []
    for process, seen in enumerate(processes):
        for one in seen:
            rows = range(len(tokens), len(tokens) + len(one.tokens))
            batches.append(MicroBatch(process, tuple(rows), one.loss, one.factor, one.token_count))
            tokens += one.tokens
            labels += one.labels
            predicted = sum(one.tokens)
            losses += [one.mean if predicted else 0.0 for _ in rows]  # without predictions the mean is NaN
            scale = math.nan if one.ratio is None or one.factor is None else one.ratio * one.factor / n
            weights += [scale * count / predicted if predicted else 0.0 for count in one.tokens]
    if not sum(tokens):
        return None
    size = max(Counter(batch.process for batch in batches).values())
    split = Split(n, max(len(batch.samples) for batch in batches), max(k, size))
    step = Step(split, tuple(batches), np.array(tokens), np.array(labels))
    right = step.weights("token-mean")
    unseen = any(batch.factor is None for batch in batches)
    of_rows = np.array(losses)
    return Weighed(number, step, of_rows, None if unseen else np.array(weights), right, float(right @ of_rows))


def rule_of_gradient(weighed: Weighed, tolerance: float) -> Rule | None:
    """The rule that the weights of the rows follow; None if the weights were not seen."""
    found = weighed.weights
    if found is None:
        return None
    return _first(weighed, lambda predicted: bool(np.all(np.abs(found - predicted) <= tolerance * np.abs(predicted))))


def rule_of_loss(weighed: Weighed, reported: float, tolerance: float, gradient: Rule | None) -> Rule:
    """The rule that the reported loss follows: the rule of the gradient, if it also fits the loss."""

    def fits(predicted: Weights) -> bool:
        loss = float(predicted @ weighed.losses)
        return abs(reported - loss) <= tolerance * abs(loss)

    return _first(weighed, fits, gradient)


def _first(weighed: Weighed, fits: Callable[[Weights], bool], preferred: Rule | None = None) -> Rule:
    """The first rule that fits. If k = n, one split cannot distinguish them, and the more likely k is named."""
    fitting = [rule for rule in _BY_K if fits(weighed.step.predicted(rule))]
    return preferred if preferred in fitting else (fitting or [UNEXPLAINED])[0]


_BY_K = sorted(
    FAMILY,
    key=lambda rule: (rule.b_power != 0, len(rule.factors), BASES.index(rule.base), rule.n_power != 0),
)


def finding_of(
    weighed: Weighed, loss_rule: Rule | None, gradient_rule: Rule | None, reported: float | None, tolerance: float
) -> Finding:
    """The finding for a wrong step: the size of the error, and the meaning of the rules."""
    split = weighed.step.split
    finding = divergence_finding("fail", [], loss_rule, gradient_rule, "reference")
    sizes = []
    if weighed.weights is not None:
        counted = weighed.right > 0
        ratios = weighed.weights[counted] / weighed.right[counted]
        same = math.isclose(ratios.min(), ratios.max(), rel_tol=tolerance)
        least_to_most = f"{ratios.max():.3g}" if same else f"{ratios.min():.3g} to {ratios.max():.3g}"
        sizes.append(f"predicted tokens entered the gradient with {least_to_most} times their weight")
    if reported is not None:
        sizes.append(f"the log says loss {reported:.4f}, the mean over all predicted tokens is {weighed.loss:.4f}")
    return replace(finding, splits=(str(split),), summary=f"step {weighed.number}, {split}: {'; '.join(sizes)}")


def explained(
    finding: Finding, weighed: Weighed, architecture: str, probe: LossProbe, arguments: Mapping[str, Any]
) -> Finding:
    """The finding with its cause and the published faults that match.

    Args:
        finding: from `finding_of`.
        weighed: the step of the finding.
        architecture: the model's architecture.
        probe: the result of `accumcheck.capture.model_probe.probe_model` for the model.
        arguments: Trainer's arguments, by name.
    """
    step = weighed.step
    observed = StepObservation(weighed.number, None, None, {}, step.micro_batches, {})
    split = SplitObservation(step.split, "ran", steps=(observed,), belief=StackBelief("Trainer"))
    reference = ReferenceObservation(
        losses=weighed.losses,
        tokens=step.tokens,
        labels=step.labels,
        gradients=np.zeros((len(step.tokens), 0)),
        grad_norms=(),
        membership=(tuple(range(len(step.tokens))),),
        coordinates=Coordinates((), (), (), 0),
        noise=Divergence(0.0, 0.0, 0.0),
        batch_effect=0.0,
        model=ModelRecord(architecture, 0, "", shrunk=False),
        probe=probe,
    )
    here = Environment(transformers=_installed("transformers"), accelerate=_installed("accelerate"))
    run = circumstances("trainer", arguments, here, [split], reference)
    rules = Fitted(_same_here(step, finding.loss_rule), _same_here(step, finding.gradient_rule))
    (cited,) = cite([traced(finding, [split], reference)], run, rules)
    return cited


def _same_here(step: Step, name: str | None) -> list[str]:
    """A rule, and those with its factors and another base that give every row of this step the same weight."""
    named = next((rule for rule in FAMILY if str(rule) == name), None)
    if named is None:
        return [name or ""]
    alike = [rule for rule in FAMILY if replace(rule, base=named.base) == named]
    weights = step.predicted(named)
    return [str(rule) for rule in [named, *alike] if np.allclose(step.predicted(rule), weights, rtol=1e-9, atol=0)]


def in_words(finding: Finding) -> str:
    """The finding as a message of several lines."""
    lines = [finding.summary, *finding.explanation.split("\n"), finding.consequence]
    lines += [f"advice: {finding.advice}"] if finding.advice else []
    for known in finding.known:
        lines += [f"known: {known['title']} ({known['url']})", f"workaround: {known['workaround']}"]
    return "\n  ".join(line for line in lines if line)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
