"""Rows of programs, by the numbers that the reference gives them."""

from __future__ import annotations

from accumcheck.judge.epochs import other_batches
from accumcheck.launch.collect import _known_as
from accumcheck.record import MicroBatch, Split, SplitObservation, StepObservation

KNOWN = {(70, 0): 0, (80, 0): 1, (90, 0): 2, (70, 1): 3, (80, 1): 4}


def test_rows_that_are_alike_are_two_samples() -> None:
    found = _known_as((MicroBatch(0, (70, 80)), MicroBatch(1, (90, 70))), KNOWN)
    assert [batch.samples for batch in found] == [(0, 1), (2, 3)]


def test_processes_that_are_all_fed_the_same_rows_repeat_them() -> None:
    found = _known_as((MicroBatch(0, (70, 80)), MicroBatch(1, (80, 70))), KNOWN)
    assert [batch.samples for batch in found] == [(0, 1), (1, 0)]
    step = StepObservation(1, None, None, {}, found, {})
    split = SplitObservation(Split(2, 2, 1), "ran", steps=(step,))
    assert other_batches(split, [(0, 1, 2, 3)]) is None  # no global batch of its own: each sample came twice


def test_a_row_that_the_reference_lacks_is_a_stranger() -> None:
    (found,) = _known_as((MicroBatch(0, (70, 60)),), KNOWN)
    assert found.samples == (0, -1)
