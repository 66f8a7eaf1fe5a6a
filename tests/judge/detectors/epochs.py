"""Whole epochs, made by hand, in steps of 8 samples and of 4."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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
