"""What the steps of whole epochs are made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accumcheck.record import MicroBatch
from tests.judge.detectors.epochs import ACCUMULATED, DISTRIBUTED, DUE, EPOCH, judged, run


def test_an_epoch_that_ends_with_a_smaller_step_passes() -> None:
    found = judged(run(ACCUMULATED, DUE), run(DISTRIBUTED, DUE))
    assert (found.verdict, found.findings) == ("pass", ())
    assert [step.samples for step in found.reference] == [8, 4, 8, 4]
    assert [split.sample_weights.scale for split in found.splits if split.sample_weights] == pytest.approx([1, 1, 1])


def test_steps_that_run_on_into_the_next_epoch_fail_and_say_what_they_were_made_of() -> None:
    found = judged(run(ACCUMULATED, [EPOCH[:8], EPOCH[8:] + EPOCH[:4], EPOCH[4:]]))
    assert [split.verdict for split in found.splits] == ["pass", "fail"]
    finding, count = found.findings
    assert (finding.id, count.id) == ("epoch-windows", "steps-differ")
    assert "3 optimizer steps were made, 4 were expected" in finding.summary
    assert "they had 8, 8, 8 samples, expected 8, 4, 8, 4 in 2 epochs of 12" in finding.summary
    assert "step 2 mixes the end of epoch 1 with the beginning of the next" in finding.summary
    assert found.splits[1].gradient_rule == "unexplained"


def test_samples_that_never_reach_the_optimizer_are_counted() -> None:
    ends_early = replace(run(ACCUMULATED, [EPOCH[:8], EPOCH[:8]]), unapplied=(MicroBatch(0, (8, 9, 10, 11)),))
    found = judged(ends_early)
    assert "8 samples never reached the optimizer, 4 of which were trained on after the last step" in (
        found.findings[0].summary
    )
    assert found.splits[1].gradient_rule == "dropped-samples"


def test_more_repetitions_than_fill_a_micro_batch_are_no_filling() -> None:
    found = judged(run(ACCUMULATED, [EPOCH[:8], EPOCH[8:] + EPOCH[:4], EPOCH[:8], EPOCH[8:] + EPOCH[:4]]))
    assert [split.verdict for split in found.splits] == ["pass", "fail"]
    assert found.findings[0].id == "epoch-windows"
