"""What the short last step of an epoch is divided by."""

from __future__ import annotations

import pytest

from tests.judge.detectors.epochs import ACCUMULATED, DISTRIBUTED, DUE, judged, run


@pytest.mark.parametrize(("means", "rule"), [(False, "unexplained"), (True, "microbatch-mean")])
def test_a_short_step_divided_by_k_is_named(means: bool, rule: str) -> None:
    # 2 micro-batches of the 4 that k asks for: half of what they should give
    found = judged(run(ACCUMULATED, DUE, tail_over=2.0, means=means), run(DISTRIBUTED, DUE, tail_over=2.0, means=means))
    assert [split.verdict for split in found.splits] == ["pass", "fail", "fail"]
    divisor = next(finding for finding in found.findings if finding.id == "tail-divisor")
    assert divisor.splits == ("1x2x4", "2x2x2")
    assert {split.gradient_rule for split in found.splits[1:]} == {rule}


def test_a_short_step_divided_by_its_own_micro_batches_is_right() -> None:
    found = judged(run(ACCUMULATED, DUE), run(DISTRIBUTED, DUE))
    assert found.findings == ()


def test_whole_steps_divided_by_k_twice_are_no_matter_of_the_tail() -> None:
    halved = [[*due] for due in DUE]
    found = judged(run(ACCUMULATED, halved, tail_over=1.0, means=True))
    assert "tail-divisor" not in [finding.id for finding in found.findings]
