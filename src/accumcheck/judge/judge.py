"""From observations to results: divergences, weights, rules, verdicts and findings. Pure functions; nothing is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from accumcheck.config.model import CheckConfig
from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.judge.detectors.order import CONSEQUENT, STRUCTURAL
from accumcheck.judge.evidence import Evidence, gather
from accumcheck.judge.expected import with_expectations
from accumcheck.judge.explanation import explain_run
from accumcheck.judge.judgement import Judgement
from accumcheck.judge.measure.truths import due
from accumcheck.judge.results import results_of, with_reasons
from accumcheck.judge.rules.explain import Rules
from accumcheck.judge.verdict import judge_run
from accumcheck.record import ReferenceObservation, Split, SplitObservation

__all__ = ["Judgement", "judge"]


def judge(
    check: CheckConfig,
    observations: Sequence[SplitObservation],
    control: Split,
    reference: ReferenceObservation | None,
    *,
    no_reference: str = "",
    reference_traceback: tuple[str, ...] = (),
    allow_skipped: bool = False,
    strict: bool = False,
    packages: Mapping[str, str] | None = None,
) -> Judgement:
    """Judge a run.

    Args:
        check: the resolved configuration.
        observations: of every requested split.
        control: the split that the others are compared with.
        reference: the independent reference, or None if it could not be computed.
        no_reference: why there is no reference.
        reference_traceback: the last lines of the exception that is the reason.
        allow_skipped: see `judge_run`.
        strict: see `judge_run`.
        packages: the releases in the environment, by canonical name: some failures are expected until one comes.
    """
    evidence = gather(check, observations, control, reference, no_reference)
    seen, found = _structural(replace(evidence, reference_traceback=reference_traceback))
    explanation = explain_run(seen)
    accounted = frozenset(seen.condemned).union(explanation.by_batching, *(one.accounts_for for one in found))
    judged = Judged(seen, explanation, results_of(seen, explanation), accounted)
    for detector in CONSEQUENT:
        new = list(detector(judged))
        found += new
        judged = replace(judged, accounted=judged.accounted.union(*(one.accounts_for for one in new)))
    results, findings = with_expectations(check.expect, judged.results, [one.finding for one in found], packages or {})
    verdict, exit_code = judge_run(
        results,
        undecided=seen.reference is None or seen.random_by is not None,
        allow_skipped=allow_skipped,
        strict=strict,
        warned=any(finding.severity == "warn" and not finding.expected for finding in findings),
        expected=any(finding.expected for finding in findings),
    )
    right = due(control, seen.alone, seen.reference)
    return Judgement(
        verdict=verdict,
        exit_code=exit_code,
        splits=with_reasons(results, findings),
        reference=tuple(truth.as_record(step) for step, truth in enumerate(right, start=1)),
        tolerances=seen.tolerances,
        loss_rule=_run_rule(explanation.loss),
        gradient_rule=_run_rule(explanation.gradient),
        alternatives={"loss": _alternatives(explanation.loss), "gradient": _alternatives(explanation.gradient)},
        findings=findings,
        accuracy="judged" if seen.reference is not None and not seen.reference.not_judged else "not judged",
        not_tested=seen.not_tested,
    )


def _structural(seen: Evidence) -> tuple[Evidence, list[Detected]]:
    """The faults without a formula, and the evidence with the splits that they condemn."""
    found: list[Detected] = []
    for detector in STRUCTURAL:
        new = list(detector(seen))
        found += new
        for one in new:
            seen = replace(seen, condemned={**seen.condemned, **one.condemned}, failed=seen.failed | one.failed)
    return seen, found


def _run_rule(rules: Rules | None) -> str | None:
    return str(rules.run.rule) if rules is not None and rules.run is not None else None


def _alternatives(rules: Rules | None) -> list[str]:
    return [str(rule) for rule in rules.run.alternatives] if rules is not None and rules.run is not None else []
