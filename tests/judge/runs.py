"""Runs made by hand: sample gradients and losses drawn once, and stacks that weight them by a formula written here.

Nothing here uses the judge's own formulas: each planted stack is a few lines of arithmetic over micro-batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import (
    Coordinates,
    Divergence,
    MicroBatch,
    ModelRecord,
    ReferenceObservation,
    Split,
    SplitObservation,
    StepObservation,
)

SAMPLES = 16
WIDTH = 60
STEPS = 2
B = SAMPLES // STEPS

_draw = np.random.default_rng(7)
GRADIENTS = _draw.normal(size=(SAMPLES, WIDTH))
LOSSES = _draw.uniform(3.0, 7.0, size=SAMPLES)
TOKENS = np.array([3, 9, 4, 17, 6, 11, 2, 13, 5, 8, 19, 3, 7, 12, 2, 10])
LABELS = TOKENS + np.array([1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1])

Weights = npt.NDArray[np.float64]
Stack = Callable[[Split, list[list[list[int]]]], Weights]
"""From a split and its samples, by process and micro-batch, to the weight of every sample (``[SAMPLES]``)."""


def dealt(split: Split, step: int) -> list[list[list[int]]]:
    """The samples of a step by process and micro-batch, dealt as torch's samplers do: batch j goes to process j % n."""
    n, b, k = split.num_processes, split.per_device_train_batch_size, split.gradient_accumulation_steps
    first = step * B
    batches = [list(range(first + j * b, first + (j + 1) * b)) for j in range(n * k)]
    return [[batches[turn * n + process] for turn in range(k)] for process in range(n)]


def right(split: Split, fed: list[list[list[int]]]) -> Weights:
    weights = np.zeros(SAMPLES)
    rows = [row for process in fed for batch in process for row in batch]
    for row in rows:
        weights[row] = TOKENS[row] / sum(TOKENS[other] for other in rows)
    return weights


def sum_of_means(split: Split, fed: list[list[list[int]]]) -> Weights:
    """Micro-batch means summed over accumulation, averaged over processes: the seed's fault."""
    weights = np.zeros(SAMPLES)
    for process in fed:
        for batch in process:
            for row in batch:
                weights[row] = TOKENS[row] / sum(TOKENS[other] for other in batch) / split.num_processes
    return weights


def observe(
    split: Split,
    stack: Stack,
    loss_stack: Stack | None = None,
    fed: Callable[[Split, int], list[list[list[int]]]] = dealt,
) -> SplitObservation:
    """What a run under this stack would record."""
    steps = []
    for step in range(STEPS):
        batches = fed(split, step)
        gradient = stack(split, batches) @ GRADIENTS
        steps.append(
            StepObservation(
                step=step + 1,
                loss=float((loss_stack or stack)(split, batches) @ LOSSES),
                logged_grad_norm=float(np.linalg.norm(gradient)),
                grad_norms=dict.fromkeys(range(split.num_processes), float(np.linalg.norm(gradient))),
                micro_batches=tuple(
                    MicroBatch(process, tuple(batch)) for process, mine in enumerate(batches) for batch in mine
                ),
                gradients={process: gradient.copy() for process in range(split.num_processes)},
            )
        )
    return SplitObservation(split, "ran", steps=tuple(steps), duration_seconds=1.0)


def reference(noise: float = 1e-9) -> ReferenceObservation:
    membership = tuple(tuple(range(step * B, (step + 1) * B)) for step in range(STEPS))
    norms = []
    for members in membership:
        weights = TOKENS[list(members)] / TOKENS[list(members)].sum()
        norms.append(float(np.linalg.norm(weights @ GRADIENTS[list(members)])))
    return ReferenceObservation(
        losses=LOSSES,
        tokens=TOKENS,
        labels=LABELS,
        gradients=GRADIENTS,
        grad_norms=tuple(norms),
        membership=membership,
        coordinates=Coordinates(("first", "second"), (20, 40), (0, 20), WIDTH),
        noise=Divergence(noise, noise, noise),
        batch_effect=0.0,
        model=ModelRecord("LlamaForCausalLM", WIDTH, "float32", False),
    )


def check(splits: Sequence[str], **changes: object) -> CheckConfig:
    return CheckConfig(
        model=ModelConfig(config={"model_type": "llama"}),
        global_batch_size=B,
        splits=tuple(Split.parse(split) for split in splits),
        steps=STEPS,
        **changes,  # type: ignore[arg-type]
    )


SPLITS = ("1x8x1", "1x2x4", "2x2x2", "2x1x4", "1x1x8")
