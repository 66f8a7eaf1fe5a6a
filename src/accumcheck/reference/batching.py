"""What batching alone does to a model whose loss for a sample depends on the samples beside it.

Such a model (batch normalisation, a load-balancing loss) has no right answer that all splits share: each micro-batch
size has its own. It is computed here, from the very micro-batches that the splits were fed, in plain PyTorch, so that
what the model does by itself is told from what a stack does to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.record import BatchedStep, BatchTerm
from accumcheck.reference.batch_terms import AdditiveTerm
from accumcheck.reference.samples import LossOf
from accumcheck.runfolder.layout import split_folders
from accumcheck.runfolder.membership import drawn_order
from accumcheck.workload.assemble import Workload


def fed_order(run: Path, membership: Sequence[Sequence[int]]) -> list[list[int]]:
    """The samples of each step in the order in which they were drawn, as a split that has trained was fed them.

    Cut in this order, a smaller micro-batch is a piece of a larger one. The judge checks it for every split.

    Args:
        run: the folder of the run, in which splits leave what they saw (`accumcheck.runfolder`).
        membership: the samples of each step, in any order; returned where no split has been fed just these.
    """
    for folder in split_folders(run):
        with contextlib.suppress(FileNotFoundError):  # it has not ended well
            order = drawn_order(folder)
            if [sorted(step) for step in order] == [sorted(step) for step in membership]:
                return order
    return [list(step) for step in membership]


def batched_steps(
    workload: Workload,
    loss_of: LossOf,
    order: Sequence[Sequence[int]],
    tokens: npt.NDArray[np.int64],
    reader: GradientReader,
    sizes: Iterable[int],
    term: BatchTerm | None,
    *,
    at_step: Callable[[int], None] = lambda _: None,
) -> list[BatchedStep]:
    """The loss and the gradient of every step for every micro-batch size.

    Micro-batches have the weight of their predictions, as single samples have in the truth of other models; where that
    differs from one to the next, they are taken as equals too, as a common fault does. An additive ``term`` of the loss
    is no mean over predictions: it is averaged over micro-batches.
    """
    found = []
    with AdditiveTerm(workload.model) as additive:
        split_off = additive.of if term is not None and term.additive else torch.zeros_like

        def mean(batches: Sequence[Sequence[int]], main: Sequence[float], extra: Sequence[float]) -> _Mean:
            """Of the loss without its term, and of the term, each weighted so."""
            workload.model.zero_grad(set_to_none=True)
            loss = 0.0
            for batch, of_main, of_term in zip(batches, main, extra, strict=True):
                whole, _ = loss_of(workload.collator([workload.samples[index] for index in batch]))
                part = split_off(whole)
                weighted = (whole - part) * of_main + part * of_term
                torch.autograd.backward(weighted)
                loss += float(weighted.detach())
            return _Mean(loss, *reader.read(workload.model))

        for size, (step, members) in product(sizes, enumerate(order, start=1)):
            at_step(step - 1)
            batches = tuple(tuple(members[start : start + size]) for start in range(0, len(members), size))
            counts = [int(tokens[list(batch)].sum()) for batch in batches]
            equal = [1 / len(batches)] * len(batches)
            weightings = {"token-mean": [count / max(sum(counts), 1) for count in counts]}
            if len(set(counts)) > 1:
                weightings["microbatch-mean"] = equal
            alone = mean(batches, [0.0] * len(batches), equal) if term is not None and term.additive else None
            for base, weights in weightings.items():
                whole = mean(batches, weights, equal)
                extra: Any = {} if alone is None else {"term": alone.loss, "term_gradient": alone.gradient}
                found.append(BatchedStep(base, step, size, batches, whole.loss, whole.norm, whole.gradient, **extra))
    workload.model.zero_grad(set_to_none=True)
    return found


class _Mean(NamedTuple):
    loss: float
    gradient: npt.NDArray[np.floating[Any]]
    norm: float
