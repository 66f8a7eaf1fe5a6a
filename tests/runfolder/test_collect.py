"""Rows of programs, by the numbers that the reference gives them."""

from __future__ import annotations

from accumcheck.record import MicroBatch, Split, SplitObservation, StepObservation
from accumcheck.runfolder.collect import _keys_in, _known_as

KNOWN = {(70, 0): 0, (80, 0): 1, (90, 0): 2, (70, 1): 3}
DUE = {70: 2, 80: 1, 90: 1}


def test_items_that_are_equal_are_as_many_samples_as_belong_to_the_step() -> None:
    found = _known_as((MicroBatch(0, (70, 80)), MicroBatch(1, (90, 70))), KNOWN, DUE)
    assert [batch.samples for batch in found] == [(0, 1), (2, 3)]


def test_a_row_that_is_fed_more_often_than_it_belongs_to_the_step_is_fed_again() -> None:
    found = _known_as((MicroBatch(0, (70, 80)), MicroBatch(1, (80, 70)), MicroBatch(1, (80, 70))), KNOWN, DUE)
    assert [batch.samples for batch in found] == [(0, 1), (1, 3), (1, 0)]


def test_a_row_of_another_step_is_one_sample_however_often_it_is_fed() -> None:
    (found,) = _known_as((MicroBatch(0, (90, 90, 80)),), KNOWN, {70: 3})
    assert found.samples == (2, 2, 1)


def test_a_row_that_the_reference_lacks_is_a_stranger() -> None:
    (found,) = _known_as((MicroBatch(0, (70, 60)),), KNOWN, DUE)
    assert found.samples == (0, -1)


def test_without_a_reference_rows_that_are_alike_are_still_two_samples_and_the_same_in_every_split() -> None:
    alone = SplitObservation(Split(1, 3, 1), "ran", steps=(_step(MicroBatch(0, (70, 80, 70))),))
    dealt = SplitObservation(
        Split(3, 1, 1), "ran", steps=(_step(*(MicroBatch(i, (n,)) for i, n in enumerate((80, 70, 70)))),)
    )
    keys = _keys_in([alone, dealt])
    assert sorted(keys) == [(70, 0), (70, 1), (80, 0)]
    known = {key: index for index, key in enumerate(keys)}
    fed = [
        sorted(sample for batch in _known_as(split.steps[0].micro_batches, known, None) for sample in batch.samples)
        for split in (alone, dealt)
    ]
    assert fed == [[0, 1, 2], [0, 1, 2]]


def _step(*fed: MicroBatch) -> StepObservation:
    return StepObservation(1, None, None, {}, fed, {})
