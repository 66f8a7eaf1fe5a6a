"""What a gradient was before it was clipped, whatever clips followed one another."""

from __future__ import annotations

import numpy as np
import torch

from accumcheck.capture.clipping import Clip
from accumcheck.capture.coordinates import Reading
from accumcheck.capture.unclipped import Unclipped


def reading(*entries: float) -> Reading:
    values = np.array(entries, dtype=np.float32)
    return Reading(values, float(np.linalg.norm(values)), torch.float32)


RIGHT = reading(3.0, -4.0)
HALVED = Clip("norm", 2.5, 0.5, "train.py:1")
HELD = Clip("norm", 1e30, 1.0, "trainer.py:2")
CUT = Clip("value", 3.5, 0.875, "train.py:3")


def test_a_clip_by_value_is_undone_though_a_norm_is_taken_after_it() -> None:
    unclipped = Unclipped()
    unclipped.about_to_clip({0: RIGHT}, 1)
    unclipped.clipped(CUT)
    unclipped.about_to_clip({0: reading(3.0, -3.5)}, 1)
    unclipped.clipped(HELD)
    assert unclipped.take(1)[0].undo(reading(3.0, -3.5), (CUT, HELD)).entries.tolist() == [3.0, -4.0]
    assert unclipped.take(1) == {}


def test_modules_that_are_clipped_one_by_one_have_a_coefficient_each() -> None:
    tenth = Clip("norm", 0.5, 0.1, "train.py:4")
    unclipped = Unclipped()
    unclipped.about_to_clip({0: RIGHT}, 1)
    unclipped.clipped(HALVED)
    unclipped.about_to_clip({1: reading(5.0)}, 1)
    unclipped.clipped(tenth)
    before = unclipped.take(1)
    # scaled once more since by something that is no clip: 2 times
    assert before[0].undo(reading(3.0, -4.0), (HALVED, tenth)).entries.tolist() == [6.0, -8.0]
    assert np.allclose(before[1].undo(reading(1.0), (HALVED, tenth)).entries, [10.0])


def test_what_was_there_before_another_backward_pass_is_forgotten() -> None:
    unclipped = Unclipped()
    unclipped.about_to_clip({0: RIGHT}, 1)
    unclipped.clipped(HALVED)
    unclipped.about_to_clip({0: reading(9.0, 9.0)}, 2)
    unclipped.clipped(HELD)
    assert unclipped.take(2)[0].undo(reading(9.0, 9.0), (HELD,)).entries.tolist() == [9.0, 9.0]


def test_a_clip_of_an_earlier_micro_batch_is_not_undone() -> None:
    unclipped = Unclipped()
    unclipped.about_to_clip({0: RIGHT}, 1)
    unclipped.clipped(HALVED)
    assert unclipped.take(1)[0].undo(reading(1.5, -2.0), ()).entries.tolist() == [1.5, -2.0]


def test_what_is_clipped_for_the_next_window_is_left_to_it() -> None:
    """Of a GAN, the second window's clip of the first optimizer comes before it is known that the first has ended."""
    unclipped = Unclipped()
    unclipped.about_to_clip({0: RIGHT}, 2)
    unclipped.clipped(HALVED)
    again = Clip("norm", 2.5, 0.5, "train.py:1")
    unclipped.about_to_clip({0: reading(9.0, 9.0)}, 4)
    unclipped.clipped(again)
    assert unclipped.take(2)[0].undo(reading(1.5, -2.0), (HALVED,)).entries.tolist() == [3.0, -4.0]
    assert unclipped.take(2)[0].undo(reading(4.5, 4.5), (again,)).entries.tolist() == [9.0, 9.0]
