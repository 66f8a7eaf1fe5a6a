"""Whole epochs, made by hand: what the steps are made of, and what a short last step is divided by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accumcheck.config.model import CheckConfig, DataConfig
from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import MicroBatch, ReferenceObservation, Split, SplitObservation, StepObservation
from tests.judge.runs import GRADIENTS, LOSSES, SAMPLES, TOKENS, Weights, check, reference

CONTROL, ACCUMULATED, DISTRIBUTED = map(Split.parse, ("1x8x1", "1x2x4", "2x2x2"))
EPOCH = list(range(12))
DUE = [EPOCH[:8], EPOCH[8:], EPOCH[:8], EPOCH[8:]]  # 2 epochs of 12 samples in global batches of 8


def two_epochs() -> ReferenceObservation:
    norms = []
    for members in DUE:
        share = TOKENS[members] / TOKENS[members].sum()
        norms.append(float(np.linalg.norm(share @ GRADIENTS[members])))
    return replace(reference(), membership=tuple(map(tuple, DUE)), grad_norms=tuple(norms))


def configuration(*splits: Split) -> CheckConfig:
    plain = check([str(split) for split in splits])
    return replace(plain, steps=4, data=DataConfig(epochs=2, samples=12))


def step(number: int, split: Split, fed: list[int], over: float = 1.0, *, means: bool = False) -> StepObservation:
    """A token mean over what was fed, or a mean over its micro-batches; all of it divided by ``over``."""
    n, b = split.num_processes, split.per_device_train_batch_size
    batches = [fed[start : start + b] for start in range(0, len(fed), b)]
    weights: Weights = np.zeros(SAMPLES)
    for batch in batches:
        for row in batch:
            right = TOKENS[row] / TOKENS[fed].sum()
            mean = TOKENS[row] / TOKENS[batch].sum() / len(batches)
            weights[row] += (mean if means else right) / over
    gradient = weights @ GRADIENTS
    norm = float(np.linalg.norm(gradient))
    return StepObservation(
        step=number,
        loss=float(weights @ LOSSES),
        logged_grad_norm=norm,
        grad_norms=dict.fromkeys(range(n), norm),
        micro_batches=tuple(MicroBatch(place % n, tuple(batch)) for place, batch in enumerate(batches)),
        gradients=dict.fromkeys(range(n), gradient),
    )


def run(split: Split, steps: list[list[int]], tail_over: float = 1.0, *, means: bool = False) -> SplitObservation:
    made = [
        step(number, split, fed, tail_over if len(fed) < 8 else 1.0, means=means)
        for number, fed in enumerate(steps, start=1)
    ]
    return SplitObservation(split, "ran", steps=tuple(made))


def judged(*others: SplitObservation) -> Judgement:
    config = configuration(CONTROL, *(other.split for other in others))
    return judge(config, [run(CONTROL, DUE), *others], CONTROL, two_epochs())


def test_an_epoch_that_ends_with_a_smaller_step_passes() -> None:
    found = judged(run(ACCUMULATED, DUE), run(DISTRIBUTED, DUE))
    assert (found.verdict, found.findings) == ("pass", ())
    assert [step.samples for step in found.reference] == [8, 4, 8, 4]
    assert [split.sample_weights.scale for split in found.splits if split.sample_weights] == pytest.approx([1, 1, 1])


def test_steps_that_run_on_into_the_next_epoch_fail_and_say_what_they_were_made_of() -> None:
    found = judged(run(ACCUMULATED, [EPOCH[:8], EPOCH[8:] + EPOCH[:4], EPOCH[4:]]))
    assert [split.verdict for split in found.splits] == ["pass", "fail"]
    (finding,) = found.findings
    assert finding.id == "epoch-windows"
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


@pytest.mark.parametrize(("means", "rule"), [(False, "unexplained"), (True, "microbatch-mean")])
def test_a_short_step_divided_by_k_is_named(means: bool, rule: str) -> None:
    # 2 micro-batches of the 4 that k asks for: half of what they should give
    found = judged(run(ACCUMULATED, DUE, tail_over=2.0, means=means), run(DISTRIBUTED, DUE, tail_over=2.0, means=means))
    assert [split.verdict for split in found.splits] == ["pass", "fail", "fail"]
    divisor = next(finding for finding in found.findings if finding.id == "tail-divisor")
    assert divisor.splits == ("1x2x4", "2x2x2")
    assert {split.gradient_rule for split in found.splits[1:]} == {rule}


def test_samples_repeated_to_fill_micro_batches_are_a_warning() -> None:
    wide = Split.parse("2x4x1")
    filled = EPOCH[8:] + EPOCH[:4]  # two processes of 4, and only 4 samples left
    found = judged(run(wide, [EPOCH[:8], filled, EPOCH[:8], filled]))
    assert [split.verdict for split in found.splits] == ["pass", "warn"]
    (finding,) = found.findings
    assert (finding.id, finding.severity) == ("padded-samples", "warn")
    assert "repeats up to 4 samples" in finding.summary


def test_more_repetitions_than_fill_a_micro_batch_are_no_filling() -> None:
    found = judged(run(ACCUMULATED, [EPOCH[:8], EPOCH[8:] + EPOCH[:4], EPOCH[:8], EPOCH[8:] + EPOCH[:4]]))
    assert [split.verdict for split in found.splits] == ["pass", "fail"]
    assert found.findings[0].id == "epoch-windows"
