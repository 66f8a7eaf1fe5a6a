"""Losses and gradients that are not finite: in which splits and steps."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.not_finite import words_of_reference, words_of_split
from accumcheck.record import Finding, Split
from accumcheck.record.rule import UNEXPLAINED


def not_finite(seen: Evidence) -> Iterator[Detected]:
    """Splits with such numbers, grouped by description; they fail if the reference is finite."""
    groups: dict[str, list[Split]] = {}
    for one in seen.good:
        if words := words_of_split(one):
            groups.setdefault(words, []).append(one.split)
    blameless = seen.reference_not_finite and seen.reference is None
    whose = "the reference's are not finite either" if blameless else "the reference's are finite"
    for words, splits in groups.items():
        yield Detected(
            Finding(
                id="not-finite",
                severity="error" if blameless else "fail",
                splits=tuple(map(str, splits)),
                summary=f"{words}; {whose if seen.reference is not None or blameless else 'there is no reference'}",
                explanation=(
                    "The model gives such numbers even without the stack, so nothing can be compared."
                    if blameless
                    else "One such step ruins a training: after it the weights are not finite either."
                ),
                advice=(
                    "Look for a precision that overflows (float16 without a loss scale), a division by a count that is "
                    "0 (a micro-batch without labels), a logarithm of 0, and, on a GPU in 16 bits, attention over "
                    "cuDNN (model.attn_implementation: eager, or torch.backends.cuda.enable_cudnn_sdp(False) in a "
                    "program of your own, turns it off)."
                ),
            ),
            condemned={} if blameless else dict.fromkeys(splits, UNEXPLAINED),
            accounts_for=frozenset(splits),
        )


def rows_not_finite(seen: Evidence) -> Iterator[Detected]:
    """Samples whose loss or gradient alone is not finite, if micro-batches serve as reference instead."""
    if seen.reference is None or not (words := words_of_reference(seen.reference)):
        return
    yield Detected(
        Finding(
            id="samples-not-finite",
            severity="warn",
            splits=(),
            summary=f"the reference's loss or gradient is not finite for a sample that is fed alone: {words}",
            explanation="Such a sample has no right answer alone; micro-batches, computed without the stack, are "
            "the reference instead.",
        )
    )
