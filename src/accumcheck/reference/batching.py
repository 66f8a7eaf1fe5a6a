"""What batching alone does to a model whose loss for a sample depends on the other samples in its batch.

Such a model (batch normalisation, a load-balancing loss) has no single right answer for all splits: each micro-batch
size has its own. It is computed here in plain PyTorch, from the same micro-batches that the splits were fed, to
separate what the model does by itself from what a stack does.
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
    """The samples of each step in the order drawn, as fed to a split that has trained.

    In this order, a smaller micro-batch is a part of a larger one. The judge checks this for every split.

    Args:
        run: the folder of the run, with the splits' observations (`accumcheck.runfolder`).
        membership: the samples of each step, in any order; returned if no split was fed exactly these.
    """
    for folder in split_folders(run):
        with contextlib.suppress(FileNotFoundError):  # it failed
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

    Micro-batches are weighted by their predictions, like single samples in the reference of other models; if that
    differs between them, they are also weighted equally, as a common fault does. An additive ``term`` of the loss
    is not a mean over predictions: it is averaged over micro-batches.
    """
    found = []
    with AdditiveTerm(workload.model) as additive:
        split_off = additive.of if term is not None and term.additive else torch.zeros_like

        def mean(batches: Sequence[Sequence[int]], main: Sequence[float], extra: Sequence[float]) -> _Mean:
            """The mean of the loss without its term, and of the term, each with these weights."""
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
