"""Weights that are alike within each micro-batch."""

from __future__ import annotations

import numpy as np
import pytest

from accumcheck.judge.causes.micro_batches import of_micro_batches
from accumcheck.judge.judge import judge
from accumcheck.record import Split
from tests.judge.detectors.seen import CONTROL, evidence
from tests.judge.runs import SAMPLES, SPLITS, TOKENS, Stack, Weights, check, observe, reference, right

FOREGROUND = np.arange(SAMPLES) % 3 == 0


def by_foreground(split: Split, fed: list[list[list[int]]]) -> Weights:
    """Each micro-batch is divided by its own foreground rows, as some detectors' losses are."""
    weights = np.zeros(SAMPLES)
    for process in fed:
        for batch in process:
            count = max(int(FOREGROUND[batch].sum()), 1)
            for row in batch:
                weights[row] = TOKENS[row] / TOKENS.sum() / count / len(process)
    return weights


SPLIT = Split.parse("1x2x4")


def test_each_micro_batch_has_a_number_of_its_own() -> None:
    run = observe(SPLIT, by_foreground)
    found = of_micro_batches(evidence([run]), SPLIT)
    assert found is not None
    counts = [max(int(FOREGROUND[list(batch.samples)].sum()), 1) for step in run.steps for batch in step.micro_batches]
    assert [one / found[0] for one in found[:4]] == pytest.approx([counts[0] / count for count in counts[:4]])


@pytest.mark.parametrize("stack", [right, lambda split, fed: right(split, fed) * np.linspace(1, 2, SAMPLES)])
def test_nothing_is_said_of_rows_that_all_weigh_alike_or_all_otherwise(stack: Stack) -> None:
    assert of_micro_batches(evidence([observe(SPLIT, stack)]), SPLIT) is None


def test_the_finding_says_it() -> None:
    runs = [observe(Split.parse(text), by_foreground if text != str(CONTROL) else right) for text in SPLITS[:3]]
    found = judge(check(SPLITS[:3]), runs, CONTROL, reference())
    assert any("divided by its own number" in one.explanation for one in found.findings)
