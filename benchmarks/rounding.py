"""How much of the tolerance of a sample's weight do correct computations use? ``python benchmarks/rounding.py``.

No stack runs. In one process, for many random models, the noise of each sample's weight is measured as in a check
(`accumcheck.reference.noise`, `accumcheck.judge.measure.sample_noise`). Then correct gradients are computed with other
micro-batch sizes, orders and multiples of the loss than those of the measurement. A share above 1 would be a false
alarm (see README.md).
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.config.model import CheckConfig, DataConfig, DType, ModelConfig, SyntheticData
from accumcheck.judge.measure.recovery import System
from accumcheck.judge.measure.sample_noise import SampleNoise
from accumcheck.record import Split
from accumcheck.reference.noise import RightAnswer, measure_noise
from accumcheck.reference.samples import LossOf, loss_as_asked
from accumcheck.selftest.case import LLAMA
from accumcheck.workload.assemble import Workload, build_workload

MODELS: dict[str, dict[str, Any]] = {
    "Llama": {"config": LLAMA},
    "GPT-2": {"config": {"model_type": "gpt2"}, "shrink": True},
    "Mixtral": {"config": {"model_type": "mixtral"}, "shrink": True},
    "ConvNeXt": {
        "config": {"model_type": "convnext"},
        "architecture": "ConvNextForImageClassification",
        "shrink": True,
    },
}
FACTORS = (1.0, 4 / 3, 9 / 5)
"""Factors of the loss: 1, and those of 3 and 5 processes whose gradients are added."""


@dataclass(frozen=True, slots=True)
class Found:
    """For one model, the largest used share of the tolerance of a weight, by micro-batch size and factor.

    ``allowed``: the median and the largest relative tolerance of the weights.
    """

    shares: dict[tuple[int, float], float]
    allowed: tuple[float, float]


def check_of(model: str, dtype: DType, samples: int, seed: int) -> CheckConfig:
    """A check whose model and samples are used."""
    return CheckConfig(
        model=ModelConfig(dtype=dtype, **MODELS[model]),
        data=DataConfig(synthetic=SyntheticData(min_length=4, max_length=24, prompt_fraction=(0.0, 0.0))),
        global_batch_size=samples,
        steps=1,
        splits=(Split(1, samples, 1), Split(1, 1, samples)),
        stack="trainer",
        seed=seed,
    )


def tried(check: CheckConfig) -> Found | None:
    """Measure the noise of one model's weights, and compute its gradient in other ways; None if it is not finite."""
    workload = build_workload(check, "cpu")
    workload.model.train()
    loss_of = loss_as_asked(check, workload.model, "cpu")
    reader = GradientReader.of(workload.model, seed=check.seed)
    samples = check.global_batch_size
    alone = [_gradient(workload, loss_of, reader, [[index]], np.ones(samples), 1.0) for index in range(samples)]
    tokens = np.array([count for _, _, count in alone])
    gradients = np.stack([gradient for gradient, _, _ in alone])
    system = System.of(gradients)
    if system is None:
        return None
    right = tokens / tokens.sum()
    gradient = right @ gradients.astype(np.float64)
    truth = RightAnswer(
        float(right @ np.array([loss for _, loss, _ in alone])), gradient, float(np.linalg.norm(gradient))
    )
    members, dtype = range(samples), check.model.dtype
    noise = measure_noise(workload, loss_of, members, tokens, truth, reader, [1, samples], dtype)
    others = list(_otherwise(workload, loss_of, reader, tokens, check.seed))
    observed = [one.gradient for one in noise.passes]
    solved = [weights for weights, _ in system.solve([*observed, *(gradient for _, gradient in others)])]
    unit = max(one.loss_unit for one in noise.passes)
    tests = samples * len(others)
    of_weights = SampleNoise.of(solved[: len(observed)], right, system, dtype, unit, tests)
    if of_weights is None:
        return None
    shares = {
        key: of_weights.worst(weights)[1] for (key, _), weights in zip(others, solved[len(observed) :], strict=True)
    }
    allowed = of_weights.allowed / right
    return Found(shares, (float(np.median(allowed)), float(allowed.max())))


def _otherwise(
    workload: Workload, loss_of: LossOf, reader: GradientReader, tokens: npt.NDArray[np.int64], seed: int
) -> Iterator[tuple[tuple[int, float], npt.NDArray[np.floating[Any]]]]:
    """Correct gradients, with their micro-batch size and the factor of the loss."""
    samples = len(tokens)
    for size in sorted({1, 2, max(1, samples // 2), samples}):
        for factor in FACTORS:
            order = list(range(samples))
            if factor != 1.0:
                random.Random(1000 * seed + size).shuffle(order)
            batches = [order[start : start + size] for start in range(0, samples, size)]
            yield (size, factor), _gradient(workload, loss_of, reader, batches, tokens / tokens.sum(), factor)[0]


def _gradient(
    workload: Workload,
    loss_of: LossOf,
    reader: GradientReader,
    batches: Sequence[Sequence[int]],
    weights: npt.NDArray[np.floating[Any]],
    factor: float,
) -> tuple[npt.NDArray[np.floating[Any]], float, int]:
    """The sum of the gradients of the micro-batches' mean losses with these weights; the loss; the predictions."""
    workload.model.zero_grad(set_to_none=True)
    whole, predictions = 0.0, 0
    for batch in batches:
        mean, count = loss_of(workload.collator([workload.samples[index] for index in batch]))
        part = mean * (factor * float(weights[list(batch)].sum()))
        torch.autograd.backward(part)
        whole += float(part.detach()) / factor
        predictions += count
    return np.array(reader.read(workload.model)[0]) / factor, whole, predictions


def main() -> None:
    """Try models by number, print a table, and write it to ``--out``."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    options.add_argument("--dtype", nargs="+", choices=get_args(DType), default=["float32", "float16", "bfloat16"])
    options.add_argument("--samples", type=int, nargs="+", default=[8, 24])
    options.add_argument("--seeds", type=int, default=10, help="models of each kind (default: %(default)s)")
    options.add_argument("--out", type=Path, metavar="FILE", help="a Markdown file")
    given = options.parse_args()
    torch.set_num_threads(1)  # for such small models, more threads only wait for each other
    lines = ["| model | dtype | samples | computations | allowed: median, largest | largest share of it taken up |"]
    lines.append(f"|{' --- |' * 6}")
    for name in given.model:
        for dtype in given.dtype:
            for samples in given.samples:
                checks = [check_of(name, cast(DType, dtype), samples, seed) for seed in range(given.seeds)]
                found = [one for check in checks if (one := tried(check)) is not None]
                if not found:
                    continue
                shares = [share for one in found for share in one.shares.values()]
                median = float(np.median([one.allowed[0] for one in found]))
                most = max(one.allowed[1] for one in found)
                row = f"| {name} | {dtype} | {samples} | {len(shares)} | {median:.1e}, {most:.1e} | {max(shares):.2f} |"
                print(row, file=sys.stderr, flush=True)
                lines.append(row)
    text = "\n".join(lines) + "\n"
    print(text)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
