"""Preference pairs: a sample is two texts, the chosen one and the rejected one, and has one loss.

Two forms of batches are in use. Where a pair is one row of several fields, each with a mask of its own (TRL's DPO up to
0.28, its rewards up to 0.23), `rows_in` tells rows apart as it does others. Where it is two rows, all the chosen ones
before all the rejected ones (TRL since then, LLaMA-Factory), only who trains on them tells that from so many samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from accumcheck.errors import UnsupportedError
from accumcheck.rows.sample import IMAGE_FIELDS, Sample

CHOSEN, REJECTED = "chosen/", "rejected/"
"""Begin the names of a sample's fields that are one of its two rows'; no stack's own begin so."""

OF_PAIRS = {
    "DPOTrainer",  # TRL; LLaMA-Factory's is derived from it
    "RewardTrainer",  # TRL
    "PairwiseTrainer",  # LLaMA-Factory's stage rm
    "DataCollatorForPreference",  # TRL
    "PairwiseDataCollatorWithPadding",  # LLaMA-Factory
}
"""Trainers and collators whose ``input_ids`` are twice as many rows as there are samples."""


def holds_pairs(trainer: Any) -> bool:
    """Whether a trainer's rows of ``input_ids`` are pairs; None, a loop of the program's own, has none."""
    return not OF_PAIRS.isdisjoint(_kinds(trainer) | _kinds(getattr(trainer, "data_collator", None)))


def _kinds(thing: Any) -> set[str]:
    return {kind.__name__ for kind in type(thing).__mro__}


def pairs_in(
    batch: Mapping[str, torch.Tensor], positions: str, rows_of: Callable[[Mapping[str, torch.Tensor]], list[Sample]]
) -> list[Sample]:
    """The pairs of a batch whose rows are all the chosen ones, and then all the rejected ones.

    Args:
        batch: tensors with a dimension of rows, or of images, each twice as large as there are pairs; what has one
            entry for each pair (a margin, log-probabilities of the reference model) is the pair's.
        positions: the name of the field whose second dimension is that of rows, where it has one more than others.
        rows_of: tells the rows of one half apart.

    Raises:
        UnsupportedError: a field cannot be dealt out to pairs.
    """
    rows = len(batch["input_ids"])
    halves: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]] = ({}, {})
    of_pair: dict[str, torch.Tensor] = {}
    for name, value in batch.items():
        kinds = name == positions and value.ndim > batch["input_ids"].ndim
        size, images = value.shape[kinds], name.startswith(IMAGE_FIELDS)
        if rows % 2 == 0 and size * 2 == rows and not images:
            of_pair[name] = value
        elif rows % 2 == 0 and (size == rows or (images and size % 2 == 0)):
            for one, part in zip(halves, value.chunk(2, dim=int(kinds)), strict=True):
                one[name] = part
        else:
            raise UnsupportedError(
                f"the model was fed {name} of shape {tuple(value.shape)} for {rows} rows, which were to be pairs of a "
                "chosen and a rejected one; which part belongs to which pair is not known"
            )
    both = zip(*map(rows_of, halves), strict=True)
    return [
        {
            **{CHOSEN + name: value for name, value in chosen.items()},
            **{REJECTED + name: value for name, value in rejected.items()},
            **{name: value[index].clone() for name, value in of_pair.items()},
        }
        for index, (chosen, rejected) in enumerate(both)
    ]


def is_pair(sample: Sample) -> bool:
    """Whether the sample is two rows."""
    return any(name.startswith(CHOSEN) for name in sample)


def half(sample: Sample, which: str) -> Sample:
    """One row of a pair: ``which`` is `CHOSEN` or `REJECTED`, or empty for what belongs to both."""
    if which:
        return {name.removeprefix(which): value for name, value in sample.items() if name.startswith(which)}
    return {name: value for name, value in sample.items() if not name.startswith((CHOSEN, REJECTED))}


def as_rows(samples: Sequence[Sample]) -> list[Sample]:
    """The rows of pairs as a batch has them: all the chosen ones, then all the rejected ones."""
    return [half(sample, which) for which in (CHOSEN, REJECTED) for sample in samples]


def pairs_of(batch: Mapping[str, torch.Tensor]) -> int:
    """How many pairs a batch holds."""
    if "input_ids" in batch:
        return len(batch["input_ids"]) // 2
    return len(next(value for name, value in batch.items() if "input_ids" in name))
