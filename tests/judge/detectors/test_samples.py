"""What a step was fed, beside the global batch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accumcheck.judge.detectors.samples import wrong_samples
from accumcheck.record import MicroBatch, StepObservation
from tests.judge.detectors.seen import changed, evidence, found_by


@pytest.mark.parametrize(
    ("fed", "words", "rule"),
    [
        ((0, 1, 2, 3, 4, 5, 6, 6), "step 1 was fed sample 6 2 times", "duplicated-samples"),
        ((0, 1, 2, 3, 4, 5, 6), "step 1 was fed 7 samples, the global batch has 8", "dropped-samples"),
        (
            (0, 1, 2, 3, 4, 5, 6, 8),
            "step 1 was not fed the reference step's samples (1 of 8 differ)",
            "unexplained",
        ),
        ((0, 1, 2, 3, 4, 5, 6, -1), "step 1 was fed 1 rows that are not in the data", "unexplained"),
    ],
)
def test_other_samples_are_named_and_condemn_the_split(fed: tuple[int, ...], words: str, rule: str) -> None:
    def feed(step: StepObservation) -> StepObservation:
        return replace(step, micro_batches=tuple(MicroBatch(0, (sample,)) for sample in fed))

    detected = list(wrong_samples(evidence([changed("1x1x8", feed)])))
    assert found_by(detected) == [("samples-differ", "fail", ("1x1x8",), {"1x1x8": rule})]
    assert detected[0].finding.summary == f"not fed the global batch: {words}"


def test_the_same_samples_in_another_order_are_right() -> None:
    def turned(step: StepObservation) -> StepObservation:
        return replace(step, micro_batches=step.micro_batches[::-1])

    assert list(wrong_samples(evidence([changed("1x1x8", turned)]))) == []
