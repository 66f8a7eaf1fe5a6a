"""From observations to results: divergences, weights, rules, verdicts and findings. Pure; nothing is run here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accumcheck.config.model import CheckConfig
from accumcheck.judge.detectors.batch_dependence import batch_dependence
from accumcheck.judge.detectors.detected import Consequent, Detected, Judged, Structural
from accumcheck.judge.detectors.divergence import divergence
from accumcheck.judge.detectors.epoch_windows import torn_windows
from accumcheck.judge.detectors.leaks import leaked_gradients
from accumcheck.judge.detectors.logged_norm import misreported_norm
from accumcheck.judge.detectors.no_reference import no_reference as without_reference
from accumcheck.judge.detectors.other_batches import other_batches_fed
from accumcheck.judge.detectors.padding import padded_epochs
from accumcheck.judge.detectors.samples import wrong_samples
from accumcheck.judge.detectors.tail_divisor import tail_divisor
from accumcheck.judge.detectors.unsynchronised import unsynchronised
from accumcheck.judge.evidence import Evidence, gather
from accumcheck.judge.explanation import explain_run
from accumcheck.judge.measure.truths import due
from accumcheck.judge.results import results_of
from accumcheck.judge.rules.explain import Rules
from accumcheck.judge.verdict import judge_run
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

STRUCTURAL: tuple[Structural, ...] = (
    wrong_samples,
    torn_windows,
    other_batches_fed,
    padded_epochs,
    unsynchronised,
    misreported_norm,
    leaked_gradients,
)
"""Run before rules are fitted, in this order: of two that condemn a split, the later gives it its rule."""

CONSEQUENT: tuple[Consequent, ...] = (batch_dependence, tail_divisor, divergence, without_reference)
"""Run when rules and verdicts are known; of a split that one accounts for, the later ones say no more."""


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
    seen, found = _structural(gather(check, observations, control, reference, no_reference))
    explanation = explain_run(seen)
    accounted = frozenset(seen.condemned) | explanation.by_batching
    judged = Judged(seen, explanation, results_of(seen, explanation), accounted)
    for detector in CONSEQUENT:
        new = list(detector(judged))
        found += new
        judged = replace(judged, accounted=judged.accounted.union(*(one.accounts_for for one in new)))
    findings = tuple(one.finding for one in found)
    verdict, exit_code = judge_run(
        judged.results,
        undecided=seen.reference is None,
        allow_skipped=allow_skipped,
        strict=strict,
        warned=any(finding.severity == "warn" for finding in findings),
    )
    right = due(control, seen.alone, seen.reference)
    return Judgement(
        verdict=verdict,
        exit_code=exit_code,
        splits=judged.results,
        reference=tuple(truth.as_record(step) for step, truth in enumerate(right, start=1)),
        tolerances=seen.tolerances,
        loss_rule=_run_rule(explanation.loss),
        gradient_rule=_run_rule(explanation.gradient),
        alternatives={"loss": _alternatives(explanation.loss), "gradient": _alternatives(explanation.gradient)},
        findings=findings,
    )


def _structural(seen: Evidence) -> tuple[Evidence, list[Detected]]:
    """What has no formula, and the evidence with the splits that it condemns."""
    found: list[Detected] = []
    for detector in STRUCTURAL:
        new = list(detector(seen))
        found += new
        for one in new:
            seen = replace(seen, condemned={**seen.condemned, **one.condemned})
    return seen, found


def _run_rule(rules: Rules | None) -> str | None:
    return str(rules.run.rule) if rules is not None and rules.run is not None else None


def _alternatives(rules: Rules | None) -> list[str]:
    return [str(rule) for rule in rules.run.alternatives] if rules is not None and rules.run is not None else []
