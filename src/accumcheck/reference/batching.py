"""What batching alone does to a model whose loss for a sample depends on the samples beside it.

Such a model (batch normalisation, a load-balancing loss) has no right answer that all splits share: each micro-batch
size has its own. It is computed here, from the very micro-batches that the splits were fed, in plain PyTorch, so that
what the model does by itself is told from what a stack does to it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from itertools import product, zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.record import BatchedStep, Split
from accumcheck.reference.samples import LossOf
from accumcheck.workload.assemble import Workload


def fed_order(run: Path, membership: Sequence[Sequence[int]]) -> list[list[int]]:
    """The samples of each step in the order in which they were drawn, as a split that has trained was fed them.

    Micro-batch j goes to process j % n: so do torch's samplers deal, and so a smaller micro-batch is a piece of a
    larger one. The judge checks it for every split.

    Args:
        run: the folder of the run, in which splits leave what they saw (`accumcheck.launch.job`).
        membership: the samples of each step, in any order; returned where no split has been fed just these.
    """
    for folder in sorted(run.iterdir()):
        with contextlib.suppress(ValueError, FileNotFoundError):  # no split, or one that has not ended
            processes = range(Split.parse(folder.name).num_processes)
            views = [json.loads((folder / f"process-{rank}.json").read_text(encoding="utf-8")) for rank in processes]
            order = [_dealt([view["micro_batches"] for view in step]) for step in zip(*views, strict=True)]
            if [sorted(step) for step in order] == [sorted(step) for step in membership]:
                return order
    return [list(step) for step in membership]


def _dealt(processes: Iterable[list[list[int]]]) -> list[int]:
    """What each process was fed, one micro-batch of each process after the other."""
    return [sample for turn in zip_longest(*processes, fillvalue=[]) for batch in turn for sample in batch]


def batched_steps(
    workload: Workload,
    loss_of: LossOf,
    order: Sequence[Sequence[int]],
    tokens: npt.NDArray[np.int64],
    reader: GradientReader,
    sizes: Iterable[int],
) -> list[BatchedStep]:
    """The loss and the gradient norm of every step for every micro-batch size.

    Micro-batches have the weight of their predictions, as single samples have in the truth of other models; where that
    differs from one to the next, they are taken as equals too, as a common fault does.
    """
    found = []
    for size, (step, members) in product(sizes, enumerate(order, start=1)):
        batches = tuple(tuple(members[start : start + size]) for start in range(0, len(members), size))
        counts = [int(tokens[list(batch)].sum()) for batch in batches]
        weightings = {"token-mean": [count / max(sum(counts), 1) for count in counts]}
        if len(set(counts)) > 1:
            weightings["microbatch-mean"] = [1 / len(batches)] * len(batches)
        for base, weights in weightings.items():
            workload.model.zero_grad(set_to_none=True)
            loss = 0.0
            for batch, weight in zip(batches, weights, strict=True):
                part = loss_of(workload.collator([workload.samples[index] for index in batch]))[0] * weight
                torch.autograd.backward(part)
                loss += float(part.detach())
            found.append(BatchedStep(base, step, size, batches, loss, reader.read(workload.model)[1]))
    workload.model.zero_grad(set_to_none=True)
    return found
