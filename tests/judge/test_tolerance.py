"""Tolerances come from what was measured."""

from __future__ import annotations

import pytest

from accumcheck.config.model import ToleranceConfig
from accumcheck.judge.tolerance import reporting_step, resolve
from accumcheck.record import Divergence


def test_the_measured_noise_is_widened_and_the_dtype_is_the_floor() -> None:
    quiet = resolve(ToleranceConfig(), "float32", Divergence(1e-8, 1e-8, 1e-8), [5.123456])
    assert (quiet.loss, quiet.grad_norm, quiet.gradient) == (1e-5, 1e-5, 1e-5)
    noisy = resolve(ToleranceConfig(), "float32", Divergence(1e-5, 2e-5, 3e-5), [5.123456])
    assert (noisy.loss, noisy.grad_norm, noisy.gradient) == pytest.approx((5e-5, 1e-4, 1.5e-4))


def test_the_users_number_wins() -> None:
    wanted = ToleranceConfig(loss=0.25, gradient=0.5)
    found = resolve(wanted, "float32", Divergence(1e-3, 1e-3, 1e-3), [5.0, 6.0])
    assert (found.loss, found.grad_norm, found.gradient) == (0.25, pytest.approx(5e-3), 0.5)


def test_losses_rounded_by_the_stack_are_compared_no_closer_than_that() -> None:
    assert reporting_step([6.1082, 24.4381, 97.23]) == 1e-4
    assert reporting_step([6.108212, 24.4381]) == 1e-6
    assert reporting_step([6.10821234567]) == 0.0
    assert reporting_step([6.10821234567, 6.10821234599]) == 0.0
    # one unit of the last of four decimals beside a loss of 5: two ten-thousandths of a tenth
    found = resolve(ToleranceConfig(), "float64", Divergence(0.0, 0.0, 0.0), [5.0, 6.1082])
    assert found.loss == pytest.approx(2e-5)
