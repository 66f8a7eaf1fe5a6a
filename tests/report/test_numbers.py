"""Numbers as cells: large differences as ratios, small ones as powers of ten, and nothing hides a NaN."""

from __future__ import annotations

import math

import pytest

from accumcheck.report import numbers
from accumcheck.report.parts.drift import sparkline

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "to", "apart", "expected"),
    [
        (20.0, 10.0, 1.0, "x 2.00"),
        (319.6, 10.0, 30.96, "x 31.96"),
        (1280.0, 10.0, 127.0, "x 128.0"),
        (123456.0, 1.0, 123455.0, "x 1.2e+05"),
        (5.0, 10.0, 0.5, "x 0.50"),
        (-10.0, 10.0, 2.0, "x -1.00"),
        (10.1, 10.0, 0.01, "x 1.01"),
        (10.09, 10.0, 0.009, "9.0e-03"),
        (10.0, 10.0, 1.2e-7, "1.2e-07"),
        (10.0, 10.0, 0.0, "0"),
        (1.0, 0.0, INF, "inf"),
        (None, 10.0, None, "-"),
        (None, 10.0, 0.5, "0.50"),
        (NAN, 10.0, NAN, "nan"),
    ],
)
def test_ratio(value: float | None, to: float, apart: float | None, expected: str) -> None:
    assert numbers.ratio(value, to, apart) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e-9, 3.0, -5.0], "-5.0"),
        ([1.0, INF], "inf"),
        ([1.0, NAN, None, INF], "nan"),
        ([1.0, None], "None"),
        ([], "None"),
    ],
)
def test_worst_never_hides_a_missing_number(values: list[float | None], expected: str) -> None:
    assert str(numbers.worst(values)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10.8342, 346.25], ["10.83", "346.25"]),
        ([0.69312, 0.5], ["0.6931", "0.5000"]),
        ([1e-6, 138.0], ["1.0000e-06", "138.00"]),
        ([123456.0, 2.0], ["1.2346e+05", "2.0000"]),
        ([None, NAN, INF, 0.0], ["-", "nan", "inf", "0.0"]),
    ],
)
def test_aligned(values: list[float | None], expected: list[str]) -> None:
    assert numbers.aligned(values) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.738, 1.2529, "0.74..1.25"),
        (5.9041, 10.0233, "5.90..10.0"),
        (1.0, 1.0, "1.00..1.00"),
        (0.9999, 999.7, "1.00..1000"),
    ],
)
def test_spread(low: float, high: float, expected: str) -> None:
    assert numbers.spread(low, high) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(84_320, "84,320"), (1_243_776, "1.24M"), (7_063_427_072, "7.06B"), (999_999, "999,999")]
)
def test_count(value: int, expected: str) -> None:
    assert numbers.count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3.21, "3.2 s"), (41.3, "41 s"), (59.7, "1 min 0 s"), (725, "12 min 5 s"), (7384, "2 h 3 min")],
)
def test_seconds(value: float, expected: str) -> None:
    assert numbers.seconds(value) == expected


def test_sparkline() -> None:
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1]) == "█▇▆▅▄▃▂▁"
    assert sparkline([1.0, NAN, None, 2.0]) == "▁  █"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([]) == ""
    assert len(sparkline([float(value) for value in range(1000)])) == 24
