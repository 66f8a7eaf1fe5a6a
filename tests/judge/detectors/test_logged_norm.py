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


@pytest.mark.parametrize(
    ("dtype", "factor", "warned"),
    [
        # two roundings of half a unit each, of a number with 8 significant bits: up to 0.0078
        ("bfloat16", 1.0075, False),
        ("bfloat16", 1.009, True),
        ("float32", 1.0075, True),
    ],
)
def test_a_norm_is_rounded_in_the_gradients_dtype(dtype: str, factor: float, warned: bool) -> None:
    seen = evidence([logging(factor)])
    assert seen.reference is not None
    seen = replace(seen, reference=replace(seen.reference, model=replace(seen.reference.model, dtype=dtype)))
    assert bool(list(misreported_norm(seen))) == warned


@pytest.mark.parametrize(("rounding", "warned"), [(0.0, True), (1e-4, True), (2e-4, False)])
def test_the_rounding_of_a_large_gradients_norm_is_not_the_logs(rounding: float, warned: bool) -> None:
    one = logging(1 + 3e-4)
    one = replace(one, steps=tuple(replace(step, norm_rounding=rounding) for step in one.steps))
    assert bool(list(misreported_norm(evidence([one])))) == warned
