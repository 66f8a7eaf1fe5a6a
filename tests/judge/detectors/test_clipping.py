"""A gradient that is clipped while it is still being accumulated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accumcheck.judge.detectors.clipping import clipped_per_microbatch
from accumcheck.record import Clipped
from tests.judge.detectors.seen import changed, evidence, found_by


@pytest.mark.parametrize(
    ("coefficient", "severity", "condemned"), [(0.25, "fail", {"1x2x4": "unexplained"}), (1.0, "warn", {})]
)
def test_a_clip_within_the_window_is_named_with_its_line_and_fails_where_it_cuts(
    coefficient: float, severity: str, condemned: dict[str, str]
) -> None:
    clip = Clipped("train.py:12", coefficient)
    seen = evidence([changed("1x2x4", lambda step: replace(step, clipped_within=clip))])
    detected = list(clipped_per_microbatch(seen))
    assert found_by(detected) == [("clip-per-microbatch", severity, ("1x2x4",), condemned)]
    assert "(train.py:12)" in detected[0].finding.summary


def test_a_clip_at_the_end_of_the_window_is_right() -> None:
    seen = evidence([changed("1x2x4", lambda step: replace(step, clip_coefficient=0.25, clips=1))])
    assert list(clipped_per_microbatch(seen)) == []
