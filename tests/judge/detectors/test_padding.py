"""Samples repeated to fill micro-batches."""

from __future__ import annotations

from accumcheck.record import Split
from tests.judge.detectors.epochs import ACCUMULATED, DUE, EPOCH, judged, run


def test_samples_repeated_to_fill_micro_batches_are_a_warning() -> None:
    wide = Split.parse("2x4x1")
    filled = EPOCH[8:] + EPOCH[:4]  # two processes of 4, and only 4 samples left
    found = judged(run(wide, [EPOCH[:8], filled, EPOCH[:8], filled]))
    assert [split.verdict for split in found.splits] == ["pass", "warn"]
    (finding,) = found.findings
    assert (finding.id, finding.severity) == ("padded-samples", "warn")
    assert "repeats up to 4 samples" in finding.summary


def test_an_epoch_that_needs_no_filling_has_none() -> None:
    assert judged(run(ACCUMULATED, DUE)).findings == ()
