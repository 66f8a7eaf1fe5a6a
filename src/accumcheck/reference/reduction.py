"""How a head combines the losses of several samples: measured on a batch of two, not guessed from its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch

from accumcheck.reference.samples import Batch, LossOf, count_labels, rows_in
from accumcheck.rows.collate import Collator
from accumcheck.rows.sample import Sample

Reduction = Literal["token-mean", "sample-mean", "sum", "token-mean/b", "sample-mean/b"]
"""``/b``: a mean that is divided by the number of rows again; for one sample alone it is the mean."""

SAME = {"float64": 1e-5, "float32": 1e-4, "float16": 1e-2, "bfloat16": 2e-2}
"""How closely, relative to the loss, a batch must follow a formula."""


def reduction_of(loss_of: LossOf, samples: Sequence[Sample], collator: Collator, dtype: str) -> Reduction:
    """Compare the loss of two samples together with what each formula gives for their single losses.

    The two are those with the most and the fewest labels. A loss that fits no formula is taken as a token mean: the
    model then depends on its batch, which the noise measurement shows.

    Args:
        loss_of: without label smoothing, which the model itself does not do; see `loss_as_asked`.
        samples: of one step, at least one.
        collator: makes the batches.
        dtype: of the model.
    """
    if len(samples) < 2:
        return "token-mean"
    by_labels = sorted((sample for sample in samples if count_labels(sample)), key=count_labels)
    if len(by_labels) < 2:
        return "token-mean"
    pair = [by_labels[0], by_labels[-1]]
    alone = [loss_of(collator([sample])) for sample in pair]
    losses, counts = [float(loss.detach()) for loss, _ in alone], [count for _, count in alone]
    with torch.no_grad():
        together = float(loss_of(collator(pair))[0])
    token_mean = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / max(sum(counts), 1)
    sample_mean = sum(losses) / 2
    formulas: dict[Reduction, float] = {
        "token-mean": token_mean,
        "sample-mean": sample_mean,
        "sum": sum(losses),
        "token-mean/b": token_mean / 2,
        "sample-mean/b": sample_mean / 2,
    }
    nearest = min(formulas, key=lambda name: abs(together - formulas[name]))
    fits = abs(together - formulas[nearest]) <= SAME[dtype] * abs(formulas[nearest])
    return nearest if fits else "token-mean"


def reduced(
    loss_of: LossOf, reduction: Reduction, global_batch_size: int, samples_in: Callable[[Batch], int] = rows_in
) -> LossOf:
    """The same loss, scaled so that its mean, weighted by its counts, is what the head would give for the global batch.

    If the head averages over samples, each counts once. If it sums, each counts once as well, and its loss is
    multiplied by the number of samples in the global batch: the mean is then the sum. A division by the rows of the
    batch is undone: no head intends it.

    ``samples_in``: the number of samples in a batch.
    """
    if reduction == "token-mean":
        return loss_of

    def by_sample(batch: Batch) -> tuple[torch.Tensor, int]:
        loss, count = loss_of(batch)
        samples = samples_in(batch)
        if reduction.endswith("/b"):
            loss = loss * samples
        elif reduction == "sum":
            loss = loss * (global_batch_size / samples)
        return loss, count if reduction.startswith("token-mean") else samples

    return by_sample


def labels_counted(reduction: Reduction) -> Callable[[Sample], int]:
    """The number of labels of one sample, before any causal shift; 1 if the head does not count tokens."""
    return count_labels if reduction.startswith("token-mean") else lambda _: 1
