"""The reference for a user's program: the rows that its splits were fed, one by one, through the program's model."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from accumcheck.capture.belief import own_loss
from accumcheck.capture.coordinates import GradientReader, named_parameters_of
from accumcheck.capture.losses import TOKEN_COUNT, loss_in
from accumcheck.config.model import CheckConfig
from accumcheck.config.splits import control_of
from accumcheck.errors import UnsupportedError, WorkloadError
from accumcheck.reference.losses import Losses
from accumcheck.reference.run import run_reference
from accumcheck.reference.samples import Batch, count_predictions, loss_as_asked, precision, rows_in
from accumcheck.rows.collate import Collator
from accumcheck.rows.fields import moved
from accumcheck.rows.identity import without_counts
from accumcheck.rows.pairs import holds_pairs, pairs_of
from accumcheck.rows.row_collator import RowCollator
from accumcheck.rows.sample import KEPT_KINDS, Sample
from accumcheck.runfolder.fed_rows import read_padding, read_rows
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import split_folders
from accumcheck.runfolder.membership import drawn_order
from accumcheck.runfolder.of_split import read_trained
from accumcheck.runfolder.steps import SeenStep
from accumcheck.stacks.programs.witness import Witness
from accumcheck.work.hooked import without_strange_hooks
from accumcheck.work.mixing import unmixed_in_control
from accumcheck.work.second_run import Again
from accumcheck.work.testimony import keys_of, told_by_witness, witnessed_otherwise
from accumcheck.workload.assemble import Workload


def reference_of_fed(job: Job, check: CheckConfig, witness: Witness, again: Again | None = None) -> None:
    """`run_reference` on the rows that the splits were fed.

    Args:
        job: its ``membership`` has the rows' numbers as they were fed, with repetitions.
        check: does not describe the model; dtype and precision are read from what the program made.
        witness: the program's model, ready to train; its Trainer, whose ``compute_loss`` is the loss that the user
            requested (for a program's own loop it is the model's loss); and what it computed for its rows one by one.
        again: runs the program once more, under another split.

    Raises:
        WorkloadError: a row was not kept.
    """
    model, trainer = witness.model, witness.trainer
    alike = witnessed_otherwise(job, witness)
    rows = {**read_rows(job.run, KEPT_KINDS), **witness.forms}
    rows |= {mine: witness.forms[other] for step in alike for other, mine in step.items() if other in witness.forms}
    keys = keys_of(job.membership)
    # splits may have been fed other rows; each is then compared with what it was fed
    everywhere = [*keys, *(step for folder in split_folders(job.run) for step in keys_of(_fed_in(folder)))]
    numbers = list(dict.fromkeys(key for step in everywhere for key in step))
    missing = [number for number, _ in numbers if number not in rows]
    if missing:
        raise WorkloadError(f"{len(missing)} rows that the program fed its model were not kept")
    place = {key: index for index, key in enumerate(numbers)}
    membership = tuple(tuple(place[key] for key in step) for step in keys)
    _train_as_in_the_control(job, check, model)
    padding = read_padding(job.run)
    collator = RowCollator.of(model) if padding is None else RowCollator(padding)
    counted = rows
    if trainer is None:
        rows = _without_counts(model, rows, collator)
    made = _as_made(check, model, trainer, witness.autocast)
    workload = Workload(model, [rows[number] for number, _ in numbers], collator)
    losses = None
    if holds_pairs(trainer):
        losses = _losses_of_pairs(trainer, model)
        check_loss_has_no_memory(losses, workload, trainer)
    elif trainer is not None:
        losses = _losses_of(trainer, model, made)._replace(counts=witness.counts)
    elif rows is not counted:
        losses = _losses_with_counts(model, made, witness.steps)
    common = GradientReader.of(model, seed=check.seed).coordinates
    dtype, first = made.compute_dtype, alike[0] if alike else {}
    unmixed = functools.partial(unmixed_in_control, job, check, dtype, first, again)
    loss_of = losses.asked if losses is not None else loss_as_asked(made, model, str(next(model.parameters()).device))
    bare = without_strange_hooks(job, check, workload, loss_of, membership[0] if membership else ())
    testimony = told_by_witness(witness, alike, place, len(numbers), common, unmixed)
    testimony = None if testimony is None else testimony._replace(other_hooks=bare)
    run_reference(replace(job, membership=membership), made, workload, losses=losses, keys=numbers, testimony=testimony)


def _without_counts(model: torch.nn.Module, rows: dict[int, Sample], collator: Collator) -> dict[int, Sample]:
    """The rows without the count that a loop passed to its model, since the check must not assume that it is right.

    They keep it if the model cannot compute a loss without it.
    """
    bare = {number: without_counts(row) for number, row in rows.items()}
    some = next((number for number, row in rows.items() if len(bare[number]) < len(row)), None)
    if some is None:
        return rows
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            found = loss_in(model(**moved(collator([bare[some]]), device)))
    except Exception:  # the model may be anything
        return rows
    return rows if found is None else bare


def _losses_with_counts(model: torch.nn.Module, made: CheckConfig, steps: Sequence[SeenStep]) -> Losses:
    """The loss of a model to which a loop passes the count of the whole step; without it where that is not known."""
    device = str(next(model.parameters()).device)
    asked, plain = (loss_as_asked(made, model, device, smoothed=smoothed) for smoothed in (True, False))
    passed = [{batch.token_count for batch in step.micro_batches} for step in steps]
    counts = {step: count for step, seen in enumerate(passed) for count in seen if count and len(seen) == 1}
    if len(counts) < len(steps):
        return Losses(asked, plain)

    def with_count(batch: Batch, count: float, _: int) -> torch.Tensor:
        with precision(made, device):
            loss = loss_in(model(**moved(batch, device), **{TOKEN_COUNT: torch.tensor(count, device=device)}))
        if loss is None:
            raise ValueError("the model returned no loss")
        return loss

    return Losses(asked, plain, counted=with_count, counts=counts)


def _train_as_in_the_control(job: Job, check: CheckConfig, model: torch.nn.Module) -> None:
    """Enable gradients for the parameters that have one in the control, even if this process has frozen them."""
    control = control_of(check.splits) if check.splits else None
    trained = read_trained(job.run / str(control)) if control is not None else None
    if trained is not None:
        for name, parameter in named_parameters_of(model).items():
            if parameter.is_floating_point():
                parameter.requires_grad_(name in trained.coordinates.names)


def _fed_in(folder: Path) -> list[list[int]]:
    """What each step of a split was fed; empty if it has not ended."""
    with contextlib.suppress(FileNotFoundError):
        return drawn_order(folder)
    return []


_AUTOCAST = {torch.bfloat16: "bf16", torch.float16: "fp16"}
"""The training argument for each autocast dtype."""


def _as_made(check: CheckConfig, model: torch.nn.Module, trainer: Any, autocast: torch.dtype | None) -> CheckConfig:
    """The configuration with the dtype and the precision of the program's model."""
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    arguments = dict(check.training_arguments)
    for name in ("bf16", "fp16"):
        if trainer is not None and getattr(trainer.args, name, False):
            arguments[name] = True
    if trainer is None and autocast in _AUTOCAST:
        arguments[_AUTOCAST[autocast]] = True
    return replace(check, model=replace(check.model, dtype=dtype), training_arguments=arguments)  # type: ignore[arg-type]


def _losses_of(trainer: Any, model: torch.nn.Module, made: CheckConfig) -> Losses:
    """The loss as this Trainer computes it for a single batch, and the same without its label smoothing.

    A single batch is a whole step: one process, no accumulation, and the count of its own predictions if the loss
    needs one.
    """
    device = str(next(model.parameters()).device)
    needs_count = False

    def computed(batch: Batch, count: float | None, steps: int) -> tuple[torch.Tensor, Any, dict[str, Any]]:
        inputs = _prepared(trainer, moved(batch, device))
        more = {} if count is None else {TOKEN_COUNT: torch.tensor(count, device=device)}
        with _accumulating(trainer, steps, rows_in(batch)), trainer.compute_loss_context_manager():
            loss, outputs = trainer.compute_loss(model, dict(inputs), return_outputs=True, **more)
        return loss, outputs, inputs

    def as_asked(batch: Batch) -> tuple[torch.Tensor, int]:
        nonlocal needs_count
        if not needs_count:
            try:
                loss, outputs, inputs = computed(batch, None, 1)
                return loss, count_predictions(model, inputs, loss, outputs)
            except (TypeError, ArithmeticError, AttributeError):  # because the count is None
                needs_count = True
        loss, outputs, inputs = computed(batch, 1.0, 1)
        count = count_predictions(model, inputs, loss, outputs)
        return computed(batch, float(max(count, 1)), 1)[0], count

    def counted(batch: Batch, count: float, steps: int) -> torch.Tensor:
        return computed(batch, count, steps)[0]

    smoothed = getattr(trainer, "label_smoother", None) is not None
    name, where = own_loss(trainer)
    return Losses(
        as_asked,
        loss_as_asked(made, model, device, smoothed=False) if smoothed else as_asked,
        by=f"{name} ({where})" if name is not None and not smoothed else None,
        counted=counted,
        at_step=lambda step: setattr(trainer.state, "global_step", step),
    )


def _prepared(trainer: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs after the Trainer's own ``_prepare_inputs``, which may add labels; unchanged if it has none."""
    prepare = getattr(type(trainer), "_prepare_inputs", None)
    if prepare is None or prepare.__module__.startswith("transformers."):
        return inputs
    return dict(trainer._prepare_inputs(inputs))


@contextlib.contextmanager
def _accumulating(trainer: Any, steps: int, rows: int) -> Iterator[None]:
    """Set the accumulation steps and the per-device batch (this many rows) that the Trainer's own code reads."""
    arguments = trainer.args
    values = {"gradient_accumulation_steps": steps, "per_device_train_batch_size": rows}
    before = {name: getattr(arguments, name) for name in values}
    current = getattr(trainer, "current_gradient_accumulation_steps", None)
    try:
        for name, value in values.items():
            object.__setattr__(arguments, name, value)
        trainer.current_gradient_accumulation_steps = steps
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(arguments, name, value)
        trainer.current_gradient_accumulation_steps = current


def _losses_of_pairs(trainer: Any, model: torch.nn.Module) -> Losses:
    """The loss as a trainer of preference pairs computes it; each pair is one prediction: which of the two is chosen.

    Label smoothing in such a trainer is part of a pair's loss.
    """
    device = str(next(model.parameters()).device)

    def as_asked(batch: Batch) -> tuple[torch.Tensor, int]:
        inputs = moved(batch, device)
        with trainer.compute_loss_context_manager():
            # outputs are not requested: some releases run the model again for them
            loss = trainer.compute_loss(model, inputs)
        return loss, pairs_of(batch)

    name, where = own_loss(trainer)
    return Losses(as_asked, as_asked, pairs_of, by=f"{name} ({where})")


def check_loss_has_no_memory(losses: Losses, workload: Workload, trainer: Any) -> None:
    """Require that a sample's loss is the same each time: a loss with a running mean depends on earlier samples.

    The same computation gives the same number, to its last digits: a running mean of centred rewards moves a loss by
    no more than its square.

    Raises:
        UnsupportedError: it changes after another sample.
    """
    with torch.no_grad():
        first, _, again = (losses.asked(workload.collator([workload.samples[index]]))[0] for index in (0, -1, 0))
    if abs(float(first - again)) > 4 * torch.finfo(first.dtype).eps * abs(float(first)):
        raise UnsupportedError(
            f"{type(trainer).__name__} computed a loss of {float(first):.7g} for a pair, and of {float(again):.7g} for "
            "the same pair after another: it remembers pairs (loss_type bco_pair keeps a running mean of rewards), so "
            "a single pair has no right loss; check with another loss_type"
        )
