"""The bases of weighting rules: one row each, with all its texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.rules.fed import Fed
from accumcheck.record import Severity

Formula = Callable[[Fed], npt.NDArray[np.float64]]
"""From the rows fed to the weight of each, ``[rows]``."""

SUMMED = (
    "have the loss summed over tokens and divided by the token count of the global batch (Trainer: compute_loss_func)"
)
_WRONG_DIRECTION = "The gradient has the wrong direction; no learning rate can compensate"
_MORE_PROCESSES = (
    f"{_WRONG_DIRECTION}. The error grows with the number of processes and with uneven lengths, "
    "and shrinks with the number of samples per process and step."
)


@dataclass(frozen=True, slots=True)
class Base:
    """One base; rows are in order of preference if several fit.

    ``weights``: the formula, or None; ``meaning``: what it does, in one clause; ``effect``: what that
    does to training; ``remedy``: what to do; ``severity``: of a split that follows it without any factor.
    ``share``: what a stack multiplies the mean of a micro-batch by to get this base, None if that cannot give this
    base; ``of_labels``: it counts labels before the causal shift; ``by_process``: each process counts its own.
    """

    name: str
    weights: Formula | None
    meaning: str
    effect: str
    remedy: str
    severity: Severity = "fail"
    share: str | None = None
    of_labels: bool = False
    by_process: bool = False


_ROWS = (
    Base(
        "token-mean",
        lambda fed: fed.tokens / fed.total(fed.tokens),
        "every predicted token of the global batch weighs the same",
        "",
        "",
        share="its share of the predicted tokens of the global batch",
    ),
    Base(
        "sample-mean",
        lambda fed: np.full(len(fed.sample), 1.0 / max(len(fed.sample), 1)),
        "every sample weighs the same, however many tokens it predicts",
        "Every sample counts the same: a token of a short sample counts more than a token of a long one.",
        f"If every token should count the same, {SUMMED}.",
    ),
    Base(
        "microbatch-mean",
        lambda fed: fed.tokens / (fed.total(fed.tokens, fed.batch) * fed.k * fed.n),
        (
            "each micro-batch is averaged over its own tokens and the averages are averaged, "
            "so a token in a micro-batch with few tokens weighs more"
        ),
        f"{_WRONG_DIRECTION}. The error grows with smaller micro-batches and with uneven lengths.",
        (
            "Use the largest per-device batch that fits and few accumulation steps, or samples of equal length; "
            f"or {SUMMED}."
        ),
    ),
    Base(
        "device-mean",
        lambda fed: fed.tokens / (fed.total(fed.tokens, fed.process) * fed.n),
        "each process averages over its own tokens only: the count is not summed across processes",
        _MORE_PROCESSES,
        "Count tokens over all processes (Trainer: average_tokens_across_devices: true).",
        share="its share of the predicted tokens of its own process",
        by_process=True,
    ),
    Base(
        "unshifted-token-mean",
        lambda fed: fed.tokens / fed.total(fed.labels),
        "the token count includes labels that are never predicted (one per row, before the causal shift)",
        (
            "Loss and gradient are too small, by the same factor on every split; the shorter the rows, the smaller. "
            "SGD takes a slightly smaller step; Adam is hardly affected. "
            "The logged loss cannot be compared with that of an evaluation or of other software."
        ),
        "Mask the first label of every row (-100): it is never predicted, and then not counted.",
        severity="warn",
        share="its predicted tokens over the labels of the global batch before the causal shift",
        of_labels=True,
    ),
    Base(
        "unshifted-device-mean",
        lambda fed: fed.tokens / (fed.total(fed.labels, fed.process) * fed.n),
        "each process averages over its own tokens only, counted before the causal shift (one label per row too many)",
        f"{_MORE_PROCESSES} Loss and gradient are also slightly too small.",
        (
            "Count tokens over all processes (Trainer: average_tokens_across_devices: true), and mask the first "
            "label of every row (-100), which is never predicted."
        ),
        share="its predicted tokens over the labels of its own process before the causal shift",
        of_labels=True,
        by_process=True,
    ),
    Base(
        "dropped-samples",
        None,
        "some samples of the global batch do not enter the update",
        "Part of the data is never learned from, and the rest counts more.",
        "Look for what leaves samples out: a sampler, drop_last, a collator that filters or truncates.",
    ),
    Base(
        "duplicated-samples",
        None,
        "some samples enter the update twice",
        "Some samples count twice at the expense of the others.",
        "Look for what repeats samples: a sampler that pads, a data set that every process reads.",
    ),
    Base(
        "unsynchronised",
        None,
        "the processes apply different gradients",
        "Each process trains its own model; only one of these models is saved.",
        "Check that the model is wrapped (DDP, FSDP) and that the last micro-batch runs outside no_sync.",
    ),
    Base(
        "unexplained",
        None,
        "no known weighting formula fits",
        "",
        (
            "Remove one thing at a time (processes, accumulation, precision, your own loss or collator) until the "
            "difference disappears."
        ),
    ),
)

BASE_ROWS = {row.name: row for row in _ROWS}
"""By name, in order of preference; those without a formula last."""

SHARES = tuple(row.name for row in _ROWS if row.share is not None)
"""The bases that a stack can make from the means of micro-batches: each times its share of a count."""
