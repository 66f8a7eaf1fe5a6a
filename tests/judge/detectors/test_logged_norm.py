"""The gradient norm in the log, beside the gradient's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accumcheck.judge.detectors.logged_norm import misreported_norm
from accumcheck.record import SplitObservation, StepObservation
from tests.judge.detectors.seen import changed, evidence, found_by


def logging(factor: float | None) -> SplitObservation:
    def change(step: StepObservation) -> StepObservation:
        return replace(step, logged_grad_norm=None if factor is None else step.grad_norms[0] * factor)

    return changed("1x2x4", change)


def test_a_norm_that_is_not_the_gradients_is_a_warning() -> None:
    detected = list(misreported_norm(evidence([logging(4.0)])))
    assert found_by(detected) == [("logged-grad-norm", "warn", ("1x2x4",), {})]
    assert "off by up to 3" in detected[0].finding.summary


@pytest.mark.parametrize("factor", [1.0, 1 + 5e-5, None, float("nan")])
def test_a_norm_that_is_rounded_or_was_not_logged_is_none(factor: float | None) -> None:
    assert list(misreported_norm(evidence([logging(factor)]))) == []
