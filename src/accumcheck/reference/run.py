"""The reference as a job: computed by one process that runs none of the stack's code, and written for the judge."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from accumcheck.capture.model_probe import keeps_apart, probe_model
from accumcheck.capture.shards import class_of, parameters_of
from accumcheck.config.model import CheckConfig
from accumcheck.record import BatchTerm, LossProbe, ModelRecord, RandomForward, ReferenceObservation, UndividedTerm
from accumcheck.reference.alone import SamplesAlone
from accumcheck.reference.batch_terms import batch_term, normalisation_of
from accumcheck.reference.batching import batched_steps, fed_order
from accumcheck.reference.control import applied_by_control
from accumcheck.reference.counted import CountedSteps
from accumcheck.reference.losses import Losses, Testimony
from accumcheck.reference.noise import NO_NOISE, Noise, RightAnswer, measure_noise
from accumcheck.reference.randomness import is_stateful, random_forward
from accumcheck.reference.reduction import labels_counted, reduced, reduction_of
from accumcheck.reference.samples import count_labels, loss_as_asked, precision
from accumcheck.reference.together import adds_up, gradient_of, masses_of, unlike
from accumcheck.rows.fields import moved
from accumcheck.rows.sample import Sample
from accumcheck.runfolder.failures import describe
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.of_reference import RowKey, write_reference
from accumcheck.workload.assemble import Workload

NO_LOSS = "its loss cannot be computed for one row alone"
COUNTS_ITS_CALLS = "its loss depends on how often it has been computed, so it cannot be computed separately"
ANOTHER_LOSS = "the loss that it differentiates is not the one that {by} returns"


def run_reference(
    job: Job,
    check: CheckConfig,
    workload: Workload,
    *,
    losses: Losses | None = None,
    keys: Sequence[RowKey] | None = None,
    testimony: Testimony | None = None,
) -> None:
    """Compute the right values for every sample and the noise floor, and write them into the job's folder.

    Args:
        job: says which samples each step has, and where to write.
        check: the resolved configuration.
        workload: the model and the samples.
        losses: None for the model's own, with the training arguments' options.
        keys: how the splits identify samples, if not by their place in the workload.
        testimony: of a program, if any, to check that the loss computed here is the one that it trains.

    The files are those of `accumcheck.runfolder.of_reference`.

    Raises:
        Exception: any exception of the loss of accumcheck's own workload.
    """
    device = str(next(workload.model.parameters()).device)
    if losses is None:
        model = workload.model
        losses = Losses(loss_as_asked(check, model, device), loss_as_asked(check, model, device, smoothed=False))
    run = _Run(job, check, workload, losses, keys)
    run.trains_again = testimony is not None and testimony.trains_again
    run.look_for_randomness(device)
    spoken_for = testimony is not None and all(testimony.known[list(members)].all() for members in job.membership)
    if run.stateful and spoken_for:
        run.write_undecided(testimony, COUNTS_ITS_CALLS)
        return
    try:
        run.sample_by_sample()
    except Exception as error:
        if not check.runs_program:
            raise
        run.write_undecided(testimony if spoken_for else None, f"{NO_LOSS} ({describe(error)})")
        return
    other = run.other_loss(testimony) if testimony is not None and spoken_for else ""
    if testimony is not None and other and not run.is_counted(testimony):
        run.write_undecided(testimony, other)
    else:
        run.write(device)


class _Run:
    """One reference, from the single samples to the written result."""

    def __init__(
        self, job: Job, check: CheckConfig, workload: Workload, losses: Losses, keys: Sequence[RowKey] | None
    ) -> None:
        self.check, self.workload, self.losses, self.keys = check, workload, losses, keys
        samples, double = len(workload.samples), check.model.dtype == "float64"
        self.alone = SamplesAlone(job, workload.model, samples, seed=check.seed, double=double, at_step=losses.at_step)
        self.reader, self.first = self.alone.reader, self.alone.first
        self.predicted = self.alone.tokens
        self.labels = np.ones(samples, dtype=np.int64)
        self.trains_again = False
        self.random: RandomForward | None = None
        self.stateful = False
        self.loss_of = losses.asked
        self.undivided: UndividedTerm | None = None
        self.is_one_batch = True

    def look_for_randomness(self, device: str) -> None:
        """Compute the first sample alone several times; a loss that cannot be computed is not random."""
        if not self.first:
            return
        batch, model = self.workload.collator([self.workload.samples[self.first[0]]]), self.workload.model
        for compute in (lambda: self.losses.asked(batch)[0], lambda: model(**moved(batch, device))):
            with contextlib.suppress(Exception):
                self.random = random_forward(model, compute)
                if self.random is not None and is_stateful(compute):
                    self.random, self.stateful = None, True
                return

    def sample_by_sample(self) -> None:
        """Compute loss, count and gradient of every sample alone, and the norm of each step's right gradient."""
        losses, workload = self.losses, self.workload
        self.alone.at(0)
        some = [workload.samples[index] for index in self.first]
        reduction = reduction_of(losses.plain, some, workload.collator, self.check.compute_dtype)
        self.loss_of = reduced(losses.asked, reduction, self.check.global_batch_size, losses.samples_in)
        labels_of = labels_counted(reduction)
        self.labels = np.array([labels_of(sample) for sample in workload.samples], dtype=np.int64)
        self.alone.compute(lambda index, _: self.loss_of(workload.collator([workload.samples[index]])))
        self.predicted = self.alone.tokens

    def other_loss(self, testimony: Testimony) -> str:
        """Why the computed loss is not the one that is trained; empty if it is."""
        every = [index for members in self.alone.job.membership for index in members]
        at = testimony.comparable(self.reader.coordinates)
        mine, witnessed = self.alone.gradients[every][:, at], testimony.directions[every][:, at]
        wrong = unlike(mine, witnessed, self.check.compute_dtype)
        return ANOTHER_LOSS.format(by=self.losses.by or "the model") if wrong else ""

    def is_counted(self, testimony: Testimony) -> bool:
        """Whether the same loss with the step's count is what is trained; if so, it is used from here on."""
        if self.losses.counted is None:
            return False
        steps = self._counted_steps()
        self.alone.compute(steps.trained)
        if self.other_loss(testimony):
            return False
        self._use(steps)
        return True

    def _noise(self) -> Noise:
        """The noise of the first step, with the present sample weights."""
        alone = self.alone
        truth = RightAnswer(alone.loss_of(self.first), alone.mean_of(self.first), alone.norms[0])
        finite = math.isfinite(truth.loss) and math.isfinite(truth.grad_norm)
        if not finite or truth.grad_norm == 0 or not self.is_one_batch:
            return NO_NOISE
        shapes, dtype = _shapes(self.check), self.check.compute_dtype
        return measure_noise(self.workload, self.loss_of, self.first, alone.tokens, truth, self.reader, shapes, dtype)

    def _is_nothing_alone(self) -> bool:
        """Whether samples have no gradient alone, but one together: then single samples are not a valid reference."""
        batch = self.first[: max(_shapes(self.check))]
        if len(batch) < 2:
            return False
        loss, _ = self.loss_of(self.workload.collator([self.workload.samples[index] for index in batch]))
        if not loss.requires_grad or not bool(torch.isfinite(loss)):
            return False
        together = float(np.linalg.norm(gradient_of(self.workload, loss, self.reader)))
        return together > 0 and self.alone.norms[0] < NOTHING * together

    def _weigh_otherwise(self) -> bool:
        """Find the sample weights if label counts do not explain them; returns whether any were found."""
        dtype, size, alone = self.check.compute_dtype, max(_shapes(self.check)), self.alone
        asked = sorted({index for members in alone.job.membership for index in members} - set(self.first))
        masses = masses_of(
            self.workload, self.loss_of, alone.gradients, [*self.first, *asked], self.reader, size=size, dtype=dtype
        )
        if masses is not None:
            alone.weigh(np.rint(masses / masses[self.first].sum() * WHOLE).astype(np.int64))
            return True
        total, some, counted = float(alone.tokens[self.first].sum()), self.first[:size], self.losses.counted
        if counted is None or not adds_up(self.workload, counted, some, total, self.reader, dtype):
            return False
        self._use(self._counted_steps())
        return True

    def _counted_steps(self) -> CountedSteps:
        return CountedSteps(self.workload, self.losses, self.alone, self.check.compute_dtype)

    def _use(self, steps: CountedSteps) -> None:
        """Take each sample as its part of its step's loss, which is given the step's count."""
        control = applied_by_control(self.alone.job, self.check, self.reader)
        steps.find_term(self.reader, max(_shapes(self.check)), self.losses.by, control)
        self.undivided, self.is_one_batch = steps.term, steps.is_one_batch
        self.alone.tokens, self.loss_of = np.ones_like(self.alone.tokens), steps.together
        self.alone.compute(steps.part)

    def write(self, device: str) -> None:
        """Write the reference, its noise, and the effect of batching."""
        model, check, workload = self.workload.model, self.check, self.workload
        if check.training_arguments.get("gradient_checkpointing"):
            # for memory: the run's largest micro-batch comes now; the values above were computed without it
            enable: Any = model.gradient_checkpointing_enable
            enable(check.training_arguments.get("gradient_checkpointing_kwargs"))
        noise = self._noise()
        if self._is_nothing_alone():
            noise = replace(NO_NOISE, batch_effect=1.0)
        elif noise.batch_effect and self._weigh_otherwise():
            noise = self._noise()
        effect = noise.batch_effect
        sizes = sorted({split.per_device_train_batch_size for split in check.splits or ()} or set(_shapes(check)))
        some = [workload.samples[index] for index in self.first]
        term = (
            batch_term(model, self.loss_of, some[: max(sizes)], workload.collator, check.compute_dtype)
            if effect
            else None
        )
        if effect and term is None and self.losses.by is not None:
            term = BatchTerm(self.losses.by, additive=False, complete=True, of_stack=True)
        order = fed_order(self.alone.job.run, self.alone.job.membership) if effect else []
        batched = batched_steps(
            workload, self.loss_of, order, self.alone.tokens, self.reader, sizes, term, at_step=self.alone.at
        )
        self._write(
            noise=noise.floor,
            batch_effect=effect,
            batched=tuple(batched),
            batch_term=term,
            probe=_probe(workload, check, some[:2], device),
            recomputed=noise.passes,
        )

    def write_undecided(self, testimony: Testimony | None, why: str) -> None:
        """Write what the program itself computed for its rows instead of a reference; NaN if that was not seen."""
        self.alone.gradients[:] = np.nan if testimony is None else testimony.directions
        self.alone.means[:] = 0.0
        self.alone.weigh(np.ones_like(self.alone.tokens))
        term = normalisation_of(self.workload.model)
        unmixed = None if testimony is None else testimony.unmixed()
        self._write(noise=NO_NOISE.floor, batch_effect=0.0, batch_term=term, not_judged=why, unmixed=unmixed)

    def _write(self, **more: Any) -> None:
        alone = self.alone
        found = ReferenceObservation(
            losses=alone.means,
            tokens=alone.tokens,
            labels=self.labels,
            gradients=alone.gradients,
            grad_norms=tuple(alone.norms),
            membership=alone.job.membership,
            coordinates=self.reader.coordinates,
            model=_describe(self.workload, self.check),
            predicted=self.predicted,
            trains_again=self.trains_again,
            undivided=self.undivided,
            random=self.random,
            unused=tuple(name for name in self.reader.coordinates.names if alone.reached and name not in alone.reached),
            **more,
        )
        write_reference(alone.job.folder, found, self.keys)


NOTHING = 1e-4
"""A gradient this small relative to another counts as zero."""

WHOLE = 10**9
"""Weights that are not counts are stored as whole numbers; this is their sum in the first step."""


def _shapes(check: CheckConfig) -> list[int]:
    """Micro-batch sizes for the noise floor: one sample, and the run's smallest and largest."""
    sizes = {split.per_device_train_batch_size for split in check.splits or ()}
    return sorted({1, *({min(sizes), max(sizes)} if sizes else {check.global_batch_size})})


def _probe(workload: Workload, check: CheckConfig, some: Sequence[Sample], device: str) -> LossProbe:
    """How the model computes its loss, probed on a batch of at most two samples; see `probe_model`."""
    batch = moved(workload.collator(some), device)
    texts = [moved(sample, device) for sample in some]
    shared = len(texts) == 2 and all("position_ids" in text and "attention_mask" not in text for text in texts)
    with precision(check, device):
        probe = probe_model(workload.model, batch, sum(count_labels(sample) for sample in some))
        return replace(probe, keeps_apart=keeps_apart(workload.model, *texts)) if shared else probe


def _bare(model: Any) -> Any:
    """The model inside PEFT's adapters."""
    return model.get_base_model() if hasattr(model, "peft_config") and hasattr(model, "get_base_model") else model


def _describe(workload: Workload, check: CheckConfig) -> ModelRecord:
    return ModelRecord(
        architecture=class_of(_bare(workload.model)).__name__,
        parameters=sum(parameter.numel for parameter in parameters_of(workload.model)),
        dtype=check.compute_dtype if check.runs_program else check.model.dtype,
        shrunk=check.model.shrink,
    )
