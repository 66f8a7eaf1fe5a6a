"""The truth of a program of the user's: what its splits were fed, row by row, through the model that it makes."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from accumcheck.capture.belief import own_loss
from accumcheck.config.model import CheckConfig
from accumcheck.errors import WorkloadError
from accumcheck.reference.run import Losses, run_reference
from accumcheck.reference.samples import Batch, count_predictions, loss_as_asked
from accumcheck.rows.fed import RowCollator
from accumcheck.rows.pairs import holds_pairs, pairs_of
from accumcheck.runfolder.fed_rows import read_rows
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import split_folders
from accumcheck.runfolder.membership import drawn_order
from accumcheck.runfolder.of_reference import RowKey
from accumcheck.workload.assemble import Workload


def reference_of_fed(job: Job, check: CheckConfig, model: torch.nn.Module, trainer: Any) -> None:
    """`run_reference` on the rows that the splits were fed.

    Args:
        job: its ``membership`` holds the rows' numbers as they were fed, with repetitions.
        check: says nothing of the model; dtype and precision are read off what the program made.
        model: as the program would train it.
        trainer: its ``compute_loss`` is the loss that the user asked for; None where a loop of the program's own takes
            the model's.

    Raises:
        WorkloadError: a row was not kept.
    """
    rows = read_rows(job.run)
    keys = keys_of(job.membership)
    # splits may have been fed others, each of which is compared with what it was fed
    everywhere = [*keys, *(step for folder in split_folders(job.run) for step in keys_of(_fed_in(folder)))]
    numbers = list(dict.fromkeys(key for step in everywhere for key in step))
    missing = [number for number, _ in numbers if number not in rows]
    if missing:
        raise WorkloadError(f"{len(missing)} rows that the program fed its model were not kept")
    place = {key: index for index, key in enumerate(numbers)}
    membership = tuple(tuple(place[key] for key in step) for step in keys)
    collator = RowCollator.of(model)
    made = _as_made(check, model, trainer)
    workload = Workload(model, [rows[number] for number, _ in numbers], collator)
    losses = None
    if holds_pairs(trainer):
        losses = _losses_of_pairs(trainer, model)
        check_loss_has_no_memory(losses, workload, trainer)
    elif trainer is not None:
        losses = _losses_of(trainer, model, made)
    run_reference(replace(job, membership=membership), made, workload, losses=losses, keys=numbers)


def _fed_in(folder: Path) -> list[list[int]]:
    """What each step of a split was fed; nothing where it has not ended."""
    with contextlib.suppress(FileNotFoundError):
        return drawn_order(folder)
    return []


def keys_of(steps: Sequence[Sequence[int]]) -> list[list[RowKey]]:
    """Each row's number with how often it came before in its step: two rows of one content are two samples."""
    found = []
    for step in steps:
        seen: Counter[int] = Counter()
        keys = []
        for number in step:
            keys.append((number, seen[number]))
            seen[number] += 1
        found.append(keys)
    return found


def _as_made(check: CheckConfig, model: torch.nn.Module, trainer: Any) -> CheckConfig:
    """The configuration with the dtype and the precision of what the program made."""
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    arguments = dict(check.training_arguments)
    for name in ("bf16", "fp16"):
        if trainer is not None and getattr(trainer.args, name, False):
            arguments[name] = True
    return replace(check, model=replace(check.model, dtype=dtype), training_arguments=arguments)  # type: ignore[arg-type]


def _losses_of(trainer: Any, model: torch.nn.Module, made: CheckConfig) -> Losses:
    """The loss as this Trainer computes it for a batch by itself; without its label smoothing, which is the model's."""
    device = str(next(model.parameters()).device)

    def as_asked(batch: Batch) -> tuple[torch.Tensor, int]:
        inputs = {name: value.to(device) for name, value in batch.items()}
        with trainer.compute_loss_context_manager():
            loss, outputs = trainer.compute_loss(model, dict(inputs), return_outputs=True)
        return loss, count_predictions(model, inputs, loss, outputs)

    if getattr(trainer, "label_smoother", None) is not None:
        return Losses(as_asked, loss_as_asked(made, model, device, smoothed=False))
    name, where = own_loss(trainer)
    return Losses(as_asked, as_asked, by=None if name is None else f"{name} ({where})")


def _losses_of_pairs(trainer: Any, model: torch.nn.Module) -> Losses:
    """The loss as a trainer of preference pairs computes it; each pair is one prediction: which of the two is chosen.

    What such a trainer calls label smoothing is a part of a pair's loss.
    """
    device = str(next(model.parameters()).device)

    def as_asked(batch: Batch) -> tuple[torch.Tensor, int]:
        inputs = {name: value.to(device) for name, value in batch.items()}
        with trainer.compute_loss_context_manager():
            # the outputs are not asked for: some releases run the model once more for them
            loss = trainer.compute_loss(model, inputs)
        return loss, pairs_of(batch)

    name, where = own_loss(trainer)
    return Losses(as_asked, as_asked, pairs_of, by=f"{name} ({where})")


def check_loss_has_no_memory(losses: Losses, workload: Workload, trainer: Any) -> None:
    """Whether a sample's loss is the same each time: one that follows a running mean depends on what came before.

    The same computation gives the same number, to its last digits: a running mean of centred rewards moves a loss by
    no more than its square.

    Raises:
        WorkloadError: it is another one after another sample.
    """
    with torch.no_grad():
        first, _, again = (losses.asked(workload.collator([workload.samples[index]]))[0] for index in (0, -1, 0))
    if abs(float(first - again)) > 4 * torch.finfo(first.dtype).eps * abs(float(first)):
        raise WorkloadError(
            f"{type(trainer).__name__} computed a loss of {float(first):.7g} for a pair, and of {float(again):.7g} for "
            "the same one after another: it remembers pairs (loss_type bco_pair keeps a running mean of rewards), so "
            "no pair has a right loss by itself; check with another loss_type"
        )
