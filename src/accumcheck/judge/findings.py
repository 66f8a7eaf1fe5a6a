"""What is wrong, how big it is and what it means, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from accumcheck.judge.consequences import advice, consequence
from accumcheck.judge.rules import UNEXPLAINED
from accumcheck.record import Finding, Severity, Split

MEANING = {
    "token-mean": "every predicted token of the global batch weighs the same",
    "sample-mean": "every sample weighs the same, however many tokens it predicts",
    "microbatch-mean": (
        "each micro-batch is averaged over its own tokens and the averages are averaged, "
        "so a token in a micro-batch with few tokens weighs more"
    ),
    "device-mean": "each process averages over its own tokens only: the count is not summed across processes",
    "unshifted-token-mean": "the token count includes labels that are never predicted (one per row, before the shift)",
    "unshifted-device-mean": (
        "each process averages over its own tokens only, counted before the causal shift (one label per row too many)"
    ),
    "dropped-samples": "some samples of the global batch do not enter the update",
    "duplicated-samples": "some samples enter the update twice",
    "unsynchronised": "the processes apply different gradients",
    UNEXPLAINED: "no known weighting formula fits",
}
"""What a base does, in one clause."""

FACTORS = {
    "*k": "the sum over the accumulation steps is never divided by their number k",
    "/k": "the result is divided by the accumulation steps k once too often",
    "*n": "the result is multiplied by the number of processes n",
    "/n": "the result is divided by the number of processes n once too often",
}


def meaning(rule: str) -> str:
    """A rule in words, for example of ``microbatch-mean*k``."""
    return "; ".join([*_factors(rule), MEANING[_base(rule)]])


def _base(rule: str) -> str:
    return rule.split("*")[0].split("/")[0]


def _factors(rule: str) -> list[str]:
    return [words for factor, words in FACTORS.items() if factor in rule]


@dataclass(frozen=True, slots=True)
class Effect:
    """How big a fault is in one split: observed over right, in the step where it is worst.

    ``loss`` and ``grad_norm`` are ratios, None where unknown; ``gradient`` is a relative error, ``weights`` the part of
    it that is in how samples are weighted, where that part alone is beyond its tolerance.
    """

    split: Split
    loss: float | None
    grad_norm: float | None
    gradient: float | None
    weights: float | None = None


def divergence_finding(
    severity: Severity,
    effects: Sequence[Effect],
    loss_rule: str | None,
    gradient_rule: str | None,
    against: str,
) -> Finding:
    """One fault: splits whose loss and gradient follow the same pair of rules.

    ``against`` says what the ratios in ``effects`` are taken to: the reference, or the control where there is none.
    """
    rules = list(dict.fromkeys(rule for rule in (loss_rule, gradient_rule) if rule))
    return Finding(
        id=",".join(rules) or "divergence",
        severity=severity,
        splits=tuple(str(effect.split) for effect in effects),
        loss_rule=loss_rule,
        gradient_rule=gradient_rule,
        summary=_size(effects, against),
        explanation=_explanation(rules),
        consequence=consequence(loss_rule, gradient_rule),
        advice=advice(loss_rule, gradient_rule),
    )


def control_finding(
    severity: Severity, effects: Sequence[Effect], control: Split, loss_rule: str | None, gradient_rule: str | None
) -> Finding:
    """Splits that are right, and diverge only from a control that is not."""
    return Finding(
        id="control-differs",
        severity=severity,
        splits=tuple(str(effect.split) for effect in effects),
        loss_rule=loss_rule,
        gradient_rule=gradient_rule,
        summary=f"loss and gradient are the reference's; they differ from the control's, {control}, which is wrong",
        explanation="Splits of one global batch must agree, and these do not agree with the others.",
        advice="What is wrong with the others is said of them.",
    )


def _explanation(rules: Sequence[str]) -> str:
    """What the rules mean: one for loss and gradient, or one each; what they share is said once."""
    if len(rules) != 2:
        return " ".join(f"{rule}: {meaning(rule)}." for rule in rules)
    named = f"Loss {rules[0]}, gradient {rules[1]}:"
    if _base(rules[0]) != _base(rules[1]):
        return f"{named} in the loss, {meaning(rules[0])}; in the gradient, {meaning(rules[1])}."
    parts = [
        f"in the {what}, {words}"
        for what, rule in zip(("loss", "gradient"), rules, strict=True)
        for words in _factors(rule)
    ]
    return f"{named} {'; '.join([*parts, f'in both, {MEANING[_base(rules[0])]}'])}."


def _size(effects: Sequence[Effect], against: str) -> str:
    """``loss 2.00, 4.00 times the reference's; gradient norm 2.31, 4.67 times; gradient off by up to 320 %``."""
    words = []
    for name, ratios in (
        ("loss", [effect.loss for effect in effects]),
        ("gradient norm", [effect.grad_norm for effect in effects]),
    ):
        known = [ratio for ratio in ratios if ratio is not None]
        if any(not math.isfinite(ratio) for ratio in known):
            words.append(f"{name} is not finite")
        elif known and max(abs(ratio - 1) for ratio in known) >= 0.01:
            words.append(f"{name} {', '.join(map(_times, known))} times the {against}'s")
        elif known:
            words.append(f"{name} within {max(abs(ratio - 1) for ratio in known):.1e} of the {against}'s")
    errors = [effect.gradient for effect in effects if effect.gradient is not None and math.isfinite(effect.gradient)]
    if errors:
        words.append(f"gradient off by up to {max(errors):.2g} of its norm")
    if parts := [effect.weights for effect in effects if effect.weights is not None]:
        words.append(f"the samples' weights account for {max(parts):.2g} of its norm, more than rounding can")
    return "; ".join(words)


def _times(ratio: float) -> str:
    """Three digits, with the zeros that say so: 2.00, 16.0, 138."""
    return f"{ratio:.2f}" if abs(ratio) < 10 else f"{ratio:.1f}" if abs(ratio) < 100 else f"{ratio:.0f}"


def samples_finding(splits: Sequence[str], details: str) -> Finding:
    """Splits whose steps were not fed the same samples."""
    return Finding(
        id="samples-differ",
        severity="fail",
        splits=tuple(splits),
        summary=f"not fed the global batch: {details}",
        explanation="One optimizer step must see the same samples under every split.",
        consequence="Losses and gradients of other samples cannot be compared; no other finding says more before this.",
        advice="Compare the order of the data first: seeds, shuffling, samplers, drop_last.",
    )


def unsynchronised_finding(splits: Sequence[str], spread: float) -> Finding:
    """Splits whose processes apply different gradients."""
    return Finding(
        id="unsynchronised",
        severity="fail",
        splits=tuple(splits),
        gradient_rule="unsynchronised",
        summary=f"processes apply different gradients, apart by up to {spread:.2g} of the norm",
        explanation="The gradients were not reduced across processes: the copies of the model drift apart.",
        consequence=consequence(None, "unsynchronised"),
        advice=advice(None, "unsynchronised"),
    )


def logged_norm_finding(splits: Sequence[str], largest: float) -> Finding:
    """Splits whose logged gradient norm is not that of the gradient."""
    return Finding(
        id="logged-grad-norm",
        severity="warn",
        splits=tuple(splits),
        summary=f"the logged grad_norm is not the norm of the gradient: off by up to {largest:.2g}",
        explanation="What the log shows is not what the optimizer received; training itself is judged by the gradient.",
        consequence="Whatever was chosen by the log, such as max_grad_norm, is off by as much.",
        advice="Choose it by the gradient norms of this report.",
    )


def no_reference_finding(reason: str) -> Finding:
    """The reference could not be computed, so that accuracy is undecided."""
    return Finding(
        id="no-reference",
        severity="error",
        splits=(),
        summary=f"the reference could not be computed: {reason}",
        explanation="Splits were compared with each other only; a fault that all of them share would not show.",
        advice="See to the cause that is named, and run the check again: without a reference nothing passes.",
    )
