"""Records one process's steps: gradients as they come, the rest at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.capture.belief import belief_of
from accumcheck.capture.clipping import Clip
from accumcheck.capture.contributions import Contributions
from accumcheck.capture.coordinates import GradientReader
from accumcheck.capture.gradient import StepGradient
from accumcheck.capture.losses import Passage
from accumcheck.capture.outputs import outputs_of
from accumcheck.capture.updates import Update
from accumcheck.capture.windows import Group, Join, Part, micro_batches_of
from accumcheck.record import Clipped, MicroBatch, TrainedRecord
from accumcheck.record.observed import Engine, HeldWeights, Schedule
from accumcheck.runfolder.of_split import write_belief, write_trained
from accumcheck.runfolder.steps import (
    SeenStep,
    write_change,
    write_contributions,
    write_gradient,
    write_outputs,
    write_steps,
    write_unapplied,
    write_weights,
)


class StepLog:
    """Writes the files of `accumcheck.runfolder.steps` for one process of one split.

    Args:
        folder: the split's.
        process: this process's rank.
        join: the numbers of the rows of one micro-batch that several forwards were fed.
        on_step: called with every step that was kept, counted from 0.
    """

    def __init__(self, folder: Path, process: int, join: Join, on_step: Callable[[int], None]) -> None:
        self._folder = folder
        self._process = process
        self._join = join
        self._on_step = on_step
        self.steps: list[SeenStep] = []

    def keep(
        self,
        parts: Sequence[Part],
        gradient: StepGradient,
        update: Update,
        clipped_within: Sequence[Clip],
        *,
        loss_scale: float,
        by_parameter: bool,
    ) -> None:
        """Record one step.

        Args:
            parts: its micro-batches.
            gradient: as it was applied, without clipping.
            update: what the optimizers would have done with it.
            clipped_within: the clips that were followed by more backward passes of the window.
            loss_scale: the factor on losses before they are differentiated.
            by_parameter: whether the gradient has one norm per parameter.
        """
        step = len(self.steps)
        write_gradient(self._folder, self._process, step, gradient.entries)
        if update.change is not None:
            write_change(self._folder, step, update.change.entries)
        self.steps.append(
            SeenStep(
                grad_norm=gradient.norm,
                micro_batches=tuple(self._micro_batch(part, loss_scale) for part in parts),
                parameter_norms=tuple(gradient.norms.tolist()) if by_parameter else (),
                parameter_projections=gradient.projections,
                clip_coefficient=gradient.clip_coefficient,
                clipped_within=_together(clipped_within),
                learning_rates=update.learning_rates,
                weight_decays=update.weight_decays,
                change_norm=None if update.change is None else update.change.norm,
                schedule_steps=update.schedule_steps,
                schedule_steps_after=update.schedule_steps_after,
                clips=gradient.clips,
                norm_rounding=gradient.norm_rounding,
            )
        )
        self._on_step(step)

    def keep_contributions(
        self, groups: Sequence[Group], parts: Sequence[Part], added: npt.NDArray[np.floating[Any]]
    ) -> None:
        """Record what each micro-batch of the next step added to the gradient.

        Args:
            groups: of the window.
            parts: its micro-batches.
            added: ``[groups, entries]``, for the groups that produced a gradient.
        """
        if all(group.backward for group in groups) and all(part.groups for part in parts):
            if [list(part.groups) for part in parts] != [[group] for group in range(len(added))]:
                each = [added[list(part.groups)].sum(axis=0) for part in parts]
                added = np.stack(each) if each else added
            write_contributions(self._folder, self._process, len(self.steps), added)

    def keep_outputs(self, groups: Sequence[Group], parts: Sequence[Part], loss_scale: float) -> None:
        """Record what the loss of the next step did to each row at the model's outputs; the arguments as in `keep`."""
        seen = outputs_of(groups, parts, loss_scale)
        if seen is not None:
            write_outputs(self._folder, self._process, len(self.steps), seen)

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """Take what the stack logs for optimizer step ``step``, counted from 1 as stacks do."""
        if "loss" not in logs or not 1 <= step <= len(self.steps):
            return
        seen = replace(self.steps[step - 1], loss=float(logs["loss"]))
        if logs.get("grad_norm") is not None:
            seen = replace(seen, logged_grad_norm=float(logs["grad_norm"]))
        if logs.get("learning_rate") is not None:
            seen = replace(seen, logged_learning_rate=float(logs["learning_rate"]))
        self.steps[step - 1] = seen

    def write(
        self, rest: Sequence[Group], trained: TrainedRecord | None, weights: HeldWeights | None, trainer: Any
    ) -> None:
        """Write what is known at the end.

        Args:
            rest: groups of a window that did not end with a step.
            trained: of the model; None if watching never began.
            weights: with which every step begins; None if no change of them was seen.
            trainer: a transformers Trainer, whose assumptions about its model are kept, or None.
        """
        left = [part.rows for part in micro_batches_of(rest, 1, self._join) if part.rows]
        write_unapplied(self._folder, self._process, [MicroBatch(self._process, rows) for rows in left])
        if trained is not None:
            write_trained(self._folder, self._process, trained)
        if weights is not None:
            write_weights(self._folder, weights)
        write_steps(self._folder, self._process, self.steps)
        if trainer is not None and self._process == 0:
            with contextlib.suppress(Exception):  # a user's own Trainer may raise anything; then nothing is recorded
                write_belief(self._folder, belief_of(trainer))

    def _micro_batch(self, part: Part, loss_scale: float) -> MicroBatch:
        passage = Passage() if part.passage is None else part.passage.passage(loss_scale)
        return MicroBatch(self._process, part.rows, passage.loss, passage.factor, passage.token_count)


def _together(clips: Sequence[Clip]) -> Clipped | None:
    """The place of the first, and the smallest coefficient of all."""
    return Clipped(clips[0].place, min(clip.coefficient for clip in clips)) if clips else None


def trained_record(
    reader: GradientReader,
    contributions: Contributions | None,
    touched: Collection[int],
    held: Collection[int],
    schedules: tuple[Schedule, ...],
    engine: Engine | None,
) -> TrainedRecord:
    """What is known about the trained parameters at the end.

    Args:
        reader: has their names.
        contributions: of micro-batches; None if they were not seen.
        touched: the positions of parameters that received a gradient.
        held: the positions of parameters that an optimizer has stepped.
        schedules: of the learning rate, made by the program.
        engine: DeepSpeed's engine, if it made the steps.
    """
    names = reader.coordinates.names
    return TrainedRecord(
        reader.coordinates,
        tuple(name for at, name in enumerate(names) if at in touched and at not in held),
        None if contributions is None else contributions.entries,
        schedules,
        () if contributions is None else tuple(name for at, name in enumerate(names) if at not in touched),
        engine,
    )
