"""Preference pairs: a sample is two texts, the chosen and the rejected one, with one loss.

Two forms of batches are in use. If a pair is one row of several fields, each with its own mask (TRL's DPO up to
0.28, its rewards up to 0.23), `rows_in` separates rows as usual. If it is two rows, all the chosen ones before all the
rejected ones (TRL since then, LLaMA-Factory), only the trainer's class distinguishes it from twice as many samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from accumcheck.errors import UnsupportedError
from accumcheck.rows.sample import IMAGE_FIELDS, Sample

CHOSEN, REJECTED = "chosen/", "rejected/"
"""Prefixes of a sample's fields that belong to one of its two rows; no stack uses them."""

OF_PAIRS = {
    "DPOTrainer",  # TRL; LLaMA-Factory's is derived from it
    "RewardTrainer",  # TRL
    "PairwiseTrainer",  # LLaMA-Factory's stage rm
    "DataCollatorForPreference",  # TRL
    "PairwiseDataCollatorWithPadding",  # LLaMA-Factory
}
"""Trainers and collators whose ``input_ids`` are twice as many rows as there are samples."""


def holds_pairs(trainer: Any) -> bool:
    """Whether a trainer's rows of ``input_ids`` are pairs; false for None, a program's own loop."""
    return not OF_PAIRS.isdisjoint(_kinds(trainer) | _kinds(getattr(trainer, "data_collator", None)))


def _kinds(thing: Any) -> set[str]:
    return {kind.__name__ for kind in type(thing).__mro__}


def pairs_in(
    batch: Mapping[str, torch.Tensor], positions: str, rows_of: Callable[[Mapping[str, torch.Tensor]], list[Sample]]
) -> list[Sample]:
    """The pairs of a batch with all the chosen rows before all the rejected ones.

    Args:
        batch: tensors with a dimension of rows, or of images, each twice the number of pairs; a value with one
            entry per pair (a margin, log-probabilities of the reference model) belongs to the pair.
        positions: the name of the field whose second dimension is the rows, if it has one dimension more than others.
        rows_of: separates the rows of one half.

    Raises:
        UnsupportedError: a field cannot be divided into pairs.
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
                f"the model was fed {name} of shape {tuple(value.shape)} for {rows} rows, expected to be pairs of a "
                "chosen and a rejected row; which part belongs to which pair is not known"
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
    """The rows of pairs in a batch's order: all the chosen ones, then all the rejected ones."""
    return [half(sample, which) for which in (CHOSEN, REJECTED) for sample in samples]


def pairs_of(batch: Mapping[str, torch.Tensor]) -> int:
    """The number of pairs in a batch."""
    if "input_ids" in batch:
        return len(batch["input_ids"]) // 2
    return len(next(value for name, value in batch.items() if "input_ids" in name))
