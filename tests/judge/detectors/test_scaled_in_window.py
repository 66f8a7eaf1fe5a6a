"""Gradients that a program scales between the backward passes of a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accumcheck.judge.detectors.scaled_in_window import scaled_in_window
from accumcheck.judge.evidence import gather
from accumcheck.record import SplitObservation
from tests.judge.detectors.seen import found_by
from tests.judge.measure.test_by_control import CONTROL, TEXTS, observed, undecided
from tests.judge.runs import check


def scaled(text: str, *scales: list[float]) -> SplitObservation:
    """``scales``: for each step, what the accumulated gradient is multiplied by after each micro-batch."""
    run = observed(text)
    steps = []
    for step, factors in zip(run.steps, scales, strict=True):
        applied = np.zeros_like(step.gradients[0])
        for process, parts in step.contributions.items():
            mine = np.zeros_like(applied)
            for part, factor in zip(parts, factors, strict=True):
                mine = (mine + part) * factor
            applied = applied + mine / len(step.contributions)
            assert process in step.gradients
        norm = float(np.linalg.norm(applied))
        steps.append(
            replace(
                step,
                gradients=dict.fromkeys(step.gradients, applied),
                grad_norms=dict.fromkeys(step.grad_norms, norm),
            )
        )
    return replace(run, steps=tuple(steps))


def found(*runs: SplitObservation) -> list[tuple[str, str, tuple[str, ...], dict[str, str]]]:
    given = {str(one.split): one for one in runs}
    every = [given.get(text) or observed(text) for text in TEXTS]
    return found_by(scaled_in_window(gather(check(TEXTS), every, CONTROL, undecided())))


def test_factors_that_follow_no_ratio_are_named() -> None:
    runs = scaled("1x2x4", [0.5, 0.3, 0.9, 0.7], [0.2, 0.8, 0.6, 0.4]), scaled("2x2x2", [0.5, 0.9], [0.3, 0.8])
    splits = ("1x2x4", "2x2x2")
    assert found(*runs) == [("scaled-in-window", "fail", splits, dict.fromkeys(splits, "unexplained"))]


def test_micro_batches_are_counted_by_the_product_of_what_follows_them() -> None:
    run = scaled("1x2x4", [0.5, 0.4, 0.9, 0.7], [0.2, 0.8, 0.6, 0.4])
    (one,) = scaled_in_window(gather(check(TEXTS), [observed(TEXTS[0]), run, observed(TEXTS[2])], CONTROL, undecided()))
    # 0.5 * 0.4 * 0.9 * 0.7, 0.4 * 0.9 * 0.7, 0.9 * 0.7, 0.7
    assert "count 0.13, 0.25, 0.63, 0.7 times in one step of 1x2x4" in one.finding.summary


def test_one_ratio_is_a_rule_and_none_of_these() -> None:
    assert found(scaled("1x2x4", [0.5] * 4, [0.5] * 4)) == []


def test_a_lost_micro_batch_is_none_of_these() -> None:
    assert found(scaled("1x2x4", [0.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0])) == []


def test_a_right_program_has_none() -> None:
    assert found() == []
    assert found(scaled("1x2x4", [1.0] * 4, [1.0] * 4)) == []


def test_one_factor_at_the_end_of_the_window_is_clipping_and_right() -> None:
    assert found(scaled("1x2x4", [1.0, 1.0, 1.0, 0.3], [1.0, 1.0, 1.0, 0.4])) == []
