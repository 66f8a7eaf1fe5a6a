"""Processes and their gradients."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from accumcheck.judge.detectors.unsynchronised import unsynchronised
from accumcheck.record import SplitObservation, StepObservation, TrainedRecord
from tests.judge.detectors.seen import changed, evidence, found_by
from tests.judge.runs import reference


def apart(factor: float) -> SplitObservation:
    def change(step: StepObservation) -> StepObservation:
        return replace(step, gradients={**step.gradients, 1: step.gradients[1] * factor})

    return changed("2x2x2", change)


def test_a_process_with_another_gradient_condemns_its_split() -> None:
    detected = list(unsynchronised(evidence([apart(1.01)])))
    assert found_by(detected) == [("unsynchronised", "fail", ("2x2x2",), {"2x2x2": "unsynchronised"})]
    assert detected[0].finding.summary == "processes apply different gradients: they differ by up to 0.01 of the norm"


def test_replicas_are_compared_to_the_bit() -> None:
    def last_bit(step: StepObservation) -> StepObservation:
        other = step.gradients[1].copy()
        other[3] = np.nextafter(other[3], np.inf)
        return replace(step, gradients={**step.gradients, 1: other})

    (detected,) = unsynchronised(evidence([changed("2x2x2", last_bit)]))
    assert detected.finding.splits == ("2x2x2",)
    assert list(unsynchronised(evidence())) == []


def test_a_norm_that_each_process_sums_for_itself_may_round_otherwise() -> None:
    def summed(factor: float) -> SplitObservation:
        return changed(
            "2x2x2", lambda step: replace(step, grad_norms={**step.grad_norms, 1: step.grad_norms[1] * factor})
        )

    assert list(unsynchronised(evidence([summed(1 + 1e-12)]))) == []
    (detected,) = unsynchronised(evidence([summed(1 + 1e-6)]))
    assert detected.finding.splits == ("2x2x2",)


def test_what_is_not_a_number_is_left_to_the_verdict() -> None:
    assert list(unsynchronised(evidence([apart(math.nan)]))) == []
    assert np.isfinite(evidence().tolerances.gradient)


def test_the_parameters_are_named_where_it_is_not_all_of_them() -> None:
    def lost(step: StepObservation) -> StepObservation:
        other = step.gradients[1].copy()
        other[:20] = 0
        return replace(step, gradients={**step.gradients, 1: other})

    run = replace(changed("2x2x2", lost), trained=TrainedRecord(reference().coordinates))
    (detected,) = unsynchronised(evidence([run]))
    assert detected.finding.summary.endswith("of the norm, only in first")
