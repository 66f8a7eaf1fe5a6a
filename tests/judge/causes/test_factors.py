"""By what a stack multiplied the model's losses: powers of k and n, or a share of a token count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from accumcheck.judge.causes.factors import Factor, differentiated, logged
from accumcheck.record import MicroBatch, Split, SplitObservation
from tests.judge.runs import LABELS, TOKENS, observe, reference, right

Measure = Callable[[Split, MicroBatch], float | None]


def seen(label: str, factor: Measure, told: float = 1.0) -> SplitObservation:
    """A split whose losses were multiplied so; each was 2, and ``told`` times the sum of a process's was logged."""
    split = observe(Split.parse(label), right)
    return replace(
        split,
        steps=tuple(
            replace(
                step,
                loss=told * 2.0 * split.split.gradient_accumulation_steps,
                micro_batches=tuple(
                    replace(batch, loss=2.0, factor=factor(split.split, batch)) for batch in step.micro_batches
                ),
            )
            for step in split.steps
        ),
    )


def found(factor: Measure, *labels: str) -> Factor | None:
    return differentiated([seen(label, factor) for label in labels or ("1x2x4", "2x2x2")], reference())


@pytest.mark.parametrize(
    ("factor", "expected", "words"),
    [
        (lambda split, batch: 1.0, Factor(0, 0), "1"),
        (lambda split, batch: 1 / split.gradient_accumulation_steps, Factor(-1, 0), "1/k"),
        (lambda split, batch: split.num_processes, Factor(0, 1), "n"),
        (lambda split, batch: split.num_processes / split.gradient_accumulation_steps, Factor(-1, 1), "n/k"),
        (lambda split, batch: split.num_processes * split.gradient_accumulation_steps, Factor(1, 1), "k n"),
        (lambda split, batch: 1 / split.gradient_accumulation_steps / split.num_processes, Factor(-1, -1), "1/(k n)"),
        (lambda split, batch: 1.004 / split.gradient_accumulation_steps, Factor(-1, 0), "1/k"),  # bfloat16
    ],
)
def test_powers_of_k_and_n_are_recognised(factor: Measure, expected: Factor, words: str) -> None:
    assert found(factor) == expected
    assert expected.words == words


@pytest.mark.parametrize("wrong", [None, float("nan"), float("inf"), 65536.0, 0.9, -1.0, 0.0])
def test_any_other_factor_is_none(wrong: float | None) -> None:
    assert found(lambda split, batch: wrong) is None
    assert found(lambda split, batch: wrong if batch.process else 1.0) is None


# step 1 of 1x2x4 has 65 tokens and 70 labels: each micro-batch's tokens are put over these
def test_shares_of_a_count_are_recognised_and_told_from_each_other() -> None:
    def of_global(split: Split, batch: MicroBatch) -> float:
        first = batch.samples[0] // 8 * 8
        return float(TOKENS[list(batch.samples)].sum() / TOKENS[first : first + 8].sum()) * split.num_processes

    def of_labels(split: Split, batch: MicroBatch) -> float:
        first = batch.samples[0] // 8 * 8
        return float(TOKENS[list(batch.samples)].sum() / LABELS[first : first + 8].sum())

    def of_process(split: Split, batch: MicroBatch) -> float:
        mine = list(range(batch.samples[0] // 8 * 8, batch.samples[0] // 8 * 8 + 8))
        if split.num_processes == 2:  # micro-batches 0 and 2 go to process 0, 1 and 3 to process 1
            mine = [row for row in mine if row // 2 % 2 == batch.process]
        return float(TOKENS[list(batch.samples)].sum() / TOKENS[mine].sum())

    assert found(of_global) == Factor(0, 1, "token-mean")
    assert found(of_process) == Factor(0, 0, "device-mean")
    assert found(of_labels) == Factor(0, 0, "unshifted-token-mean")


def test_the_closest_formula_is_taken_where_two_are_close() -> None:
    # with 1,000 labels a sample, the labels before the shift are 0.1 % more than the tokens: closer than bfloat16 is
    close = replace(reference(), tokens=TOKENS + 1000, labels=TOKENS + 1001)

    def of_labels(split: Split, batch: MicroBatch) -> float:
        first = batch.samples[0] // 8 * 8
        return float(close.tokens[list(batch.samples)].sum() / close.labels[first : first + 8].sum())

    assert differentiated([seen("1x2x4", of_labels)], close) == Factor(0, 0, "unshifted-token-mean")


def test_what_was_logged_is_taken_to_the_losses_that_were_returned() -> None:
    assert logged([seen("1x2x4", lambda split, batch: None, told=1.0)]) == Factor(0, 0)
    assert logged([seen("1x2x4", lambda split, batch: None, told=0.25)]) == Factor(-1, 0)
    assert logged([seen("2x2x2", lambda split, batch: None, told=4.0)]) == Factor(1, 1)
    assert logged([seen("1x2x4", lambda split, batch: None, told=0.7)]) is None
    unseen = observe(Split.parse("1x2x4"), right)
    assert logged([unseen]) is None
    assert differentiated([], reference()) is None
