"""Processes that clip their own gradients before these are reduced."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.detectors.clipping_by_process import clipped_by_process
from accumcheck.judge.detectors.unsynchronised import unsynchronised
from accumcheck.record import SplitObservation, StepObservation
from tests.judge.detectors.seen import changed, evidence, found_by


def clipped(first: float, second: float, *, reduced: bool) -> SplitObservation:
    """Process 0 clips by ``first``, process 1 by ``second``; ``reduced``: afterwards they apply the same gradient."""

    def change(step: StepObservation) -> StepObservation:
        applied = {0: step.gradients[0], 1: step.gradients[1] * (1.0 if reduced else 1.5)}
        before = {0: applied[0] / first, 1: applied[1] / second}
        norms = {0: step.grad_norms[0] / first, 1: step.grad_norms[1] * (1.0 if reduced else 1.5) / second}
        return replace(step, gradients=before, grad_norms=norms, clip_coefficients={0: first, 1: second})

    return changed("2x2x2", change)


def test_processes_that_clip_by_different_factors_and_apply_the_same_gradient_are_named() -> None:
    seen = evidence([clipped(0.25, 0.5, reduced=True)])
    detected = list(clipped_by_process(seen))
    assert found_by(detected) == [("clip-per-process", "fail", ("2x2x2",), {"2x2x2": "unexplained"})]
    assert "by the factors 0.25, 0.5 at step 1 of 2x2x2" in detected[0].finding.summary
    assert list(unsynchronised(seen)) == []


def test_gradients_that_were_never_reduced_are_unsynchronised_however_they_are_clipped() -> None:
    seen = evidence([clipped(0.25, 0.5, reduced=False)])
    assert list(clipped_by_process(seen)) == []
    (detected,) = unsynchronised(seen)
    assert detected.finding.splits == ("2x2x2",)


def test_processes_that_clip_alike_are_right() -> None:
    seen = evidence([clipped(0.25, 0.25, reduced=True)])
    assert list(clipped_by_process(seen)) == []
