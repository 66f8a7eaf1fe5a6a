"""The short last step of an epoch, divided by k."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.judge.measure.epochs import has_short_step
from accumcheck.record import Finding
from accumcheck.record.rule import UNEXPLAINED


def tail_divisor(judged: Judged) -> Iterator[Detected]:
    """Splits whose gradients fit a formula only if a step of fewer than k micro-batches is divided by k."""
    rules = judged.explanation.gradient
    if rules is None:
        return
    over_k = [one.split for one in judged.seen.good if has_short_step(one) and rules.of[one.split].tail_over_k]
    over_k = [split for split in over_k if split not in judged.seen.condemned]
    if over_k:
        yield Detected(
            Finding(
                id="tail-divisor",
                severity="fail",
                splits=tuple(map(str, over_k)),
                summary="the last step of an epoch has fewer than k micro-batches, but is still divided by k",
                explanation=(
                    "Its loss and gradient are m/k of what they should be, where m is its number of micro-batches."
                ),
                consequence="The samples at the end of every epoch count less; the larger k, the less.",
                advice="Train on a number of samples that is a multiple of the global batch.",
            ),
            accounts_for=frozenset(split for split in over_k if rules.of[split].rule == UNEXPLAINED),
        )
