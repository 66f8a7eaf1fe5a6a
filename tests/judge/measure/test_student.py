"""Student's t, against the tables of statistics books and against closed forms."""

from __future__ import annotations

import math

import pytest

from accumcheck.judge.measure.student import beyond, quantile


@pytest.mark.parametrize(
    ("probability", "degrees", "times"),
    [
        (0.05, 1, 12.706),
        (0.05, 2, 4.303),
        (0.05, 3, 3.182),
        (0.05, 10, 2.228),
        (0.01, 10, 3.169),
        (0.05, 24, 2.064),
        (0.001, 24, 3.745),
        (0.001, 5, 6.869),
        (0.001, 120, 3.373),
    ],
)
def test_the_tables_of_books(probability: float, degrees: int, times: float) -> None:
    assert quantile(probability, degrees) == pytest.approx(times, abs=6e-4)


@pytest.mark.parametrize("probability", [0.3, 1e-3, 1e-7])
def test_closed_forms_far_out(probability: float) -> None:
    assert quantile(probability, 1) == pytest.approx(1 / math.tan(math.pi * probability / 2), rel=1e-6)
    # of two degrees, P(|t| > x) = 1 - x / sqrt(2 + x^2)
    within = 1 - probability
    assert quantile(probability, 2) == pytest.approx(within * math.sqrt(2 / (1 - within**2)), rel=1e-6)


def test_of_many_degrees_it_is_the_normal_distribution() -> None:
    for times in (1.0, 3.0, 5.0):
        assert beyond(times, 1_000_000) == pytest.approx(math.erfc(times / math.sqrt(2)), rel=1e-3)


def test_more_degrees_never_make_it_wider() -> None:
    found = [quantile(1e-7, degrees) for degrees in range(1, 60)]
    assert found == sorted(found, reverse=True)
