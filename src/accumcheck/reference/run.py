"""The reference as a job: computed by one process that runs none of the stack's code, written for the judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.capture.model_probe import keeps_apart, probe_model
from accumcheck.capture.shards import class_of, parameters_of
from accumcheck.config.model import CheckConfig
from accumcheck.record import BatchTerm, LossProbe, ModelRecord, ReferenceObservation
from accumcheck.reference.batch_terms import batch_term
from accumcheck.reference.batching import batched_steps, fed_order
from accumcheck.reference.noise import NO_NOISE, RightAnswer, measure_noise
from accumcheck.reference.reduction import labels_counted, reduced, reduction_of
from accumcheck.reference.samples import Batch, LossOf, count_labels, loss_as_asked, precision, rows_in
from accumcheck.rows.sample import Sample
from accumcheck.runfolder.events import EventLog, ReferenceProgress
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.of_reference import RowKey, open_gradients, write_reference
from accumcheck.workload.assemble import Workload

PROGRESS_EVERY = 8


class Losses(NamedTuple):
    """What a batch's loss is: as the user asked for it, and without label smoothing, which no model does itself.

    ``samples_in``: how many samples a batch has; ``by``: what computes the loss in the model's place, None for the
    model itself.
    """

    asked: LossOf
    plain: LossOf
    samples_in: Callable[[Batch], int] = rows_in
    by: str | None = None


def run_reference(
    job: Job,
    check: CheckConfig,
    workload: Workload,
    *,
    losses: Losses | None = None,
    keys: Sequence[RowKey] | None = None,
) -> None:
    """Compute the truth of every sample and the noise floor, into the job's folder.

    Args:
        job: says which samples each step has, and where to.
        check: the resolved configuration.
        workload: the model and the samples.
        losses: None for the model's own, as the training arguments ask for it.
        keys: by what the splits know the samples, where that is not their place in the workload.

    The files are those of `accumcheck.runfolder.of_reference`.
    """
    model, samples = workload.model, workload.samples
    device = str(next(model.parameters()).device)
    if losses is None:
        losses = Losses(loss_as_asked(check, model, device), loss_as_asked(check, model, device, smoothed=False))
    some = [samples[index] for index in (job.membership[0] if job.membership else range(len(samples)))]
    reduction = reduction_of(losses.plain, some, workload.collator, check.compute_dtype)
    loss_of = reduced(losses.asked, reduction, check.global_batch_size, losses.samples_in)
    labels_of = labels_counted(reduction)
    reader = GradientReader.of(model, seed=check.seed)
    events = EventLog(job.run)

    width = sum(reader.coordinates.sizes)
    gradients = open_gradients(job.folder, len(samples), width, double=check.model.dtype == "float64")
    means = np.zeros(len(samples))
    tokens = np.zeros(len(samples), dtype=np.int64)
    norms: list[float] = []
    done, due = 0, sum(map(len, job.membership))
    strays = sorted(set(range(len(samples))) - {index for members in job.membership for index in members})
    for members in [*job.membership, strays]:
        totals = None if reader.coordinates.complete else _Totals(model)
        for index in members:
            model.zero_grad(set_to_none=True)
            loss, tokens[index] = loss_of(workload.collator([samples[index]]))
            torch.autograd.backward(loss)
            means[index] = float(loss.detach())
            gradients[index], _ = reader.read(model)
            if totals is not None:
                totals.add(int(tokens[index]))
            done += 1
            if done % PROGRESS_EVERY == 0 or done == due:
                events.emit(ReferenceProgress(done, due + len(strays)))
        if members is not strays:
            chosen = list(members)
            right = _weighted(gradients[chosen], tokens[chosen])
            norms.append(totals.norm() if totals is not None else float(np.linalg.norm(right)))
        del totals

    first = list(job.membership[0])
    truth = RightAnswer(
        float((means[first] * tokens[first]).sum() / tokens[first].sum()),
        _weighted(gradients[first], tokens[first]),
        norms[0],
    )
    shapes = _shapes(check)
    if check.training_arguments.get("gradient_checkpointing"):
        # for memory: the run's largest micro-batch comes now; the truth above was computed without
        enable: Any = model.gradient_checkpointing_enable
        enable(check.training_arguments.get("gradient_checkpointing_kwargs"))
    noise = (
        measure_noise(workload, loss_of, first, tokens, truth, reader, shapes, check.compute_dtype)
        if math.isfinite(truth.loss) and math.isfinite(truth.grad_norm)
        else NO_NOISE
    )
    effect = noise.batch_effect
    sizes = sorted({split.per_device_train_batch_size for split in check.splits or ()} or set(shapes))
    term = batch_term(model, loss_of, some[: max(sizes)], workload.collator, check.compute_dtype) if effect else None
    if effect and term is None and losses.by is not None:
        term = BatchTerm(losses.by, additive=False, complete=True, of_stack=True)
    order = fed_order(job.run, job.membership) if effect else []
    batched = batched_steps(workload, loss_of, order, tokens, reader, sizes, term)
    found = ReferenceObservation(
        losses=means,
        tokens=tokens,
        labels=np.array([labels_of(sample) for sample in samples], dtype=np.int64),
        gradients=gradients,
        grad_norms=tuple(norms),
        membership=job.membership,
        coordinates=reader.coordinates,
        noise=noise.floor,
        batch_effect=effect,
        model=_describe(workload, check),
        batched=tuple(batched),
        batch_term=term,
        probe=_probe(workload, check, some[:2], device),
        recomputed=noise.passes,
    )
    write_reference(job.folder, found, keys)


class _Totals:
    """The whole gradient of a step, where only some of its entries are kept: its norm is reported."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._tokens = 0
        self._sums: dict[str, torch.Tensor] = {}

    def add(self, tokens: int) -> None:
        """Add the gradient that is in ``.grad``, that of a sample of so many tokens."""
        self._tokens += tokens
        for parameter in parameters_of(self._model):
            if parameter.requires_grad:
                gradient = parameter.gradient()
                if parameter.name not in self._sums:
                    wide = torch.promote_types(gradient.dtype, torch.float32)
                    self._sums[parameter.name] = torch.zeros_like(gradient, dtype=wide)
                self._sums[parameter.name].add_(gradient, alpha=tokens)

    def norm(self) -> float:
        """The norm of the token-weighted mean."""
        squares = [torch.linalg.vector_norm(total, dtype=torch.float64).square() for total in self._sums.values()]
        return float(torch.stack(squares).sum().sqrt()) / max(self._tokens, 1)


def _weighted(gradients: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """``sum(c_i g_i) / sum(c_i)`` in float64."""
    return np.asarray((tokens / max(tokens.sum(), 1)).astype(np.float64) @ gradients.astype(np.float64, copy=False))


def _shapes(check: CheckConfig) -> list[int]:
    """Micro-batch sizes for the noise floor: one sample, and the smallest and largest that the run uses."""
    sizes = {split.per_device_train_batch_size for split in check.splits or ()}
    return sorted({1, *({min(sizes), max(sizes)} if sizes else {check.global_batch_size})})


def _probe(workload: Workload, check: CheckConfig, some: Sequence[Sample], device: str) -> LossProbe:
    """How the model makes its loss, asked on a batch of two samples at most; see `probe_model`."""
    batch = {name: value.to(device) for name, value in workload.collator(some).items()}
    texts = [{name: value.to(device) for name, value in sample.items()} for sample in some]
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
