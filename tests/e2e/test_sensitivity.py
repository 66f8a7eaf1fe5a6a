"""An error of ten times the tolerance is caught, and half a tolerance is none: planted in a real Trainer."""

from __future__ import annotations

import pytest

from accumcheck.check import run_checks
from accumcheck.config.model import CheckConfig, DataConfig, DType, LauncherConfig, ModelConfig, SyntheticData
from accumcheck.record import Report, Split
from accumcheck.selftest.cases import LLAMA

pytestmark = pytest.mark.e2e

TRIED = 0.5
"""An error in one sample's weight that every dtype must show."""


def planted(dtype: DType, size: float) -> CheckConfig:
    return CheckConfig(
        model=ModelConfig(config=LLAMA, dtype=dtype),
        data=DataConfig(synthetic=SyntheticData(min_length=4, max_length=24)),
        global_batch_size=8,
        steps=1,
        splits=tuple(map(Split.parse, ("1x8x1", "1x1x8"))),
        stack=f"planted:weight-error={size}",
        launcher=LauncherConfig(device="cpu", timeout=120),
    )


def part_in_weights(report: Report) -> float:
    (step,) = report.splits[1].steps
    assert step.vs_reference.weights is not None
    return step.vs_reference.weights


def test_ten_times_the_tolerance_is_caught_and_half_of_it_is_not() -> None:
    dtypes: tuple[DType, ...] = ("float32", "bfloat16")
    for dtype, tried in zip(dtypes, list(run_checks([planted(dtype, TRIED) for dtype in dtypes])), strict=True):
        assert tried.tolerances is not None
        assert tried.tolerances.weights is not None
        # the error that it makes in the gradient is proportional to the one that was planted
        ten_times = 10 * tried.tolerances.weights * TRIED / part_in_weights(tried)
        caught, missed = run_checks([planted(dtype, ten_times), planted(dtype, ten_times / 20)])
        assert (caught.verdict, caught.exit_code) == ("fail", 1)
        assert [split.verdict for split in caught.splits] == ["pass", "fail"]
        assert (caught.loss_rule, caught.gradient_rule) == ("token-mean", "unexplained")
        assert part_in_weights(caught) == pytest.approx(10 * tried.tolerances.weights, rel=0.2)
        assert missed.verdict == "pass", dtype
