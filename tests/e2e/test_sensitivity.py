"""An error of ten times the tolerance is caught, and half of one sample's is none: planted in a real Trainer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accumcheck.check import run_checks
from accumcheck.config.model import DType
from accumcheck.record import Report
from tests.e2e.program import accumcheck, write_config
from tests.e2e.test_planted import planted

pytestmark = pytest.mark.e2e

TRIED = 0.5
"""An error in one sample's weight that every dtype must show."""


def part_in_weights(report: Report) -> float:
    (step,) = report.splits[1].steps
    assert step.vs_reference.weights is not None
    return step.vs_reference.weights


def test_ten_times_the_tolerance_is_caught_and_half_of_it_is_not() -> None:
    dtypes: tuple[DType, ...] = ("float32", "bfloat16")
    allowed, planned = [], []
    for dtype, tried in zip(dtypes, run_checks([planted(dtype, TRIED) for dtype in dtypes]), strict=True):
        assert tried.tolerances is not None
        assert tried.tolerances.weights is not None
        # the error that it makes in the gradient is proportional to the one that was planted
        ten_times = 10 * tried.tolerances.weights * TRIED / part_in_weights(tried)
        allowed.append(tried.tolerances.weights)
        assert tried.tolerances.sample is not None
        planned += [planted(dtype, ten_times), planted(dtype, tried.tolerances.sample.least / 2)]
    reports = list(run_checks(planned))
    for caught, missed, weights in zip(reports[::2], reports[1::2], allowed, strict=True):
        assert (caught.verdict, caught.exit_code) == ("fail", 1)
        assert [split.verdict for split in caught.splits] == ["pass", "fail"]
        assert (caught.loss_rule, caught.gradient_rule) == ("token-mean", "unexplained")
        assert part_in_weights(caught) == pytest.approx(10 * weights, rel=0.2)
        assert missed.verdict == "pass"


def test_a_user_can_ask_where_the_tolerances_come_from(tmp_path: Path) -> None:
    config = write_config(tmp_path, splits=["1x8x1", "1x1x8"], steps=1, tolerances={"loss": 0.25})
    ended = accumcheck("run", config, "--explain-tolerances", "-o", tmp_path / "report.json")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    told = {
        line.split("  ")[0].strip(): line.split()[-1] for line in lines if line.endswith(("configuration", "dtype"))
    }
    assert told == {"loss": "configuration", "grad norm": "dtype", "gradient": "dtype", "weights": "dtype"}
    assert [line.split()[3:5] for line in lines if line.startswith("last sample first")] == [["1", "8"]]
    assert [line.split()[1:3] for line in lines if line.startswith("shuffled")] == [["8", "1"], ["1", "8"], ["8", "1"]]
    assert max(map(len, lines)) <= 80
    tolerances = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["tolerances"]
    assert (tolerances["loss"], tolerances["origins"]["loss"]["chosen"]) == (0.25, "configuration")
    assert [one["accumulation_steps"] for one in tolerances["measured"]] == [8, 1, 8, 1]  # two of each size
