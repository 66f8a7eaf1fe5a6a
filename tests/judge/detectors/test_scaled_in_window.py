"""Gradients that a program scales between the backward passes of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from accumcheck.judge.detectors.scaled_in_window import scaled_in_window
from accumcheck.judge.evidence import gather
from accumcheck.record import SplitObservation
from tests.judge.detectors.seen import found_by
from tests.judge.measure.test_by_control import CONTROL, TEXTS, observed, undecided
from tests.judge.runs import WIDTH, check


def scaled(text: str, *scales: Sequence[float | np.ndarray]) -> SplitObservation:
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


def of_parameters(first: float, second: float) -> np.ndarray:
    """One factor for the first parameter's 20 entries, and one for the rest."""
    return np.where(np.arange(WIDTH) < 20, first, second)


def test_factors_that_differ_by_parameter_are_named() -> None:
    of_step = [of_parameters(0.4, 0.9), of_parameters(0.3, 1.0), of_parameters(0.9, 0.4), of_parameters(0.7, 0.8)]
    run = scaled("1x2x4", of_step, of_step)
    (one,) = scaled_in_window(gather(check(TEXTS), [observed(TEXTS[0]), run, observed(TEXTS[2])], CONTROL, undecided()))
    # 0.4 * 0.3 * 0.9 * 0.7, 0.3 * 0.9 * 0.7, 0.9 * 0.7, 0.7
    assert "count 0.076, 0.19, 0.63, 0.7 times in one parameter in one step of 1x2x4" in one.finding.summary
    assert "scaled, parameter by parameter, while" in one.finding.summary


def test_the_split_whose_numbers_are_shown_says_whether_they_are_of_one_parameter() -> None:
    whole = scaled("1x2x4", [0.5, 0.4, 0.9, 0.7], [0.2, 0.8, 0.6, 0.4])
    single = [of_parameters(0.3, 0.9), of_parameters(0.9, 0.4)]
    runs = [observed(TEXTS[0]), whole, scaled("2x2x2", single, single)]
    (one,) = scaled_in_window(gather(check(TEXTS), runs, CONTROL, undecided()))
    assert one.finding.splits == ("1x2x4", "2x2x2")
    assert "scaled while" in one.finding.summary
    assert "times in one step of 1x2x4" in one.finding.summary


def test_a_parameter_in_which_a_later_micro_batch_counts_less_is_none_of_these() -> None:
    of_step = [of_parameters(0.5, 4.0), of_parameters(0.3, 3.0), of_parameters(0.9, 2.0), of_parameters(0.7, 1.0)]
    assert found(scaled("1x2x4", of_step, of_step)) == []
