"""A term of the loss that the count of predictions does not divide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accumcheck.judge.detectors.undivided_term import term_not_divided
from accumcheck.record import SplitObservation, StepObservation, UndividedTerm
from tests.judge.detectors.seen import changed, evidence, found_by
from tests.judge.runs import WIDTH, reference

TERM = np.random.default_rng(7).normal(size=(3, WIDTH)) * 0.1
TRUTH = replace(reference(), undivided=UndividedTerm("aux_loss, which the model returns", TERM))


def with_extra(text: str, extra: np.ndarray) -> SplitObservation:
    """A split whose first gradient has this in addition."""

    def change(step: StepObservation) -> StepObservation:
        gradients = {process: gradient + extra for process, gradient in step.gradients.items()}
        return replace(step, gradients=gradients)

    return changed(text, change)


def test_splits_that_count_it_too_often_are_named() -> None:
    runs = [with_extra("1x2x4", 3 * TERM[0]), with_extra("2x2x2", TERM[0])]
    detected = list(term_not_divided(evidence(runs, TRUTH)))
    splits = ("1x2x4", "2x2x2")
    assert found_by(detected) == [("term-not-divided", "fail", splits, dict.fromkeys(splits, "unexplained"))]
    assert detected[0].finding.summary == (
        "aux_loss, which the model returns, which num_items_in_batch does not divide, counts more than once in a "
        "step: 4 times in 1x2x4, 2 times in 2x2x2"
    )


def test_splits_that_are_wrong_otherwise_are_not() -> None:
    other = np.random.default_rng(8).normal(size=WIDTH) * 0.1
    assert list(term_not_divided(evidence([with_extra("1x2x4", other)], TRUTH))) == []


def test_splits_that_count_it_once_are_right() -> None:
    assert list(term_not_divided(evidence([], TRUTH))) == []


def test_without_such_a_term_there_is_nothing_to_find() -> None:
    assert list(term_not_divided(evidence([with_extra("1x2x4", 3 * TERM[0])]))) == []
