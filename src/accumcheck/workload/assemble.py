"""The workload of a check: the model and the samples, the same in every process of every split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch

from accumcheck.errors import UnsupportedHeadError, WorkloadError
from accumcheck.rows.collate import Collator
from accumcheck.rows.fields import moved
from accumcheck.rows.fingerprint import SampleIndex
from accumcheck.workload.causes import named_cause
from accumcheck.workload.data import Sample, build_samples
from accumcheck.workload.features import check_loss
from accumcheck.workload.model import models_to_try
from accumcheck.workload.same_draws import hold_draws
from accumcheck.workload.tasks.registry import tasks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

    from accumcheck.config.model import CheckConfig


@dataclass(frozen=True)
class Workload:
    """The model and its data. ``samples``: the data set; the check is one epoch of it, or ``data.epochs`` epochs."""

    model: torch.nn.Module
    samples: list[Sample]
    collator: Collator

    @cached_property
    def index(self) -> SampleIndex:
        """Recognises the samples, as they are when this is first read."""
        return SampleIndex(self.samples)


def build_workload(check: CheckConfig, device: str) -> Workload:
    """Make the model on ``device`` and the samples on the CPU.

    A shrunk model is run on the first samples, and on the first one alone. If it cannot be run, or if no samples can be
    made for it, it is shrunk in the next way of `accumcheck.workload.shrink_ways`. If its loss is random, it gets fixed
    random numbers, see `accumcheck.workload.same_draws`.

    Raises:
        WorkloadError: the model or the data could not be made.
    """
    first: WorkloadError | None = None
    for make in models_to_try(check.model, seed=check.seed, device=device):
        try:
            return _made(check, make)
        except WorkloadError as error:
            if not check.model.shrink or _is_final(error):
                raise
            first = first or error
    assert first is not None
    raise first


def _made(check: CheckConfig, make: Callable[[], PreTrainedModel]) -> Workload:
    model = make()
    collator = Collator.of(model)
    if not check.model.shrink:
        return Workload(model, build_samples(check, model, check.sample_count), collator)
    first: WorkloadError | None = None
    for task in tasks_of(model):
        try:
            with named_cause(check.model, what="cannot be run"):
                samples = build_samples(check, model, check.sample_count, task)
                _run(model, collator, samples[:2])
                _hold_draws(check, model, partial(_run, model, collator, samples[:1]))
            return Workload(model, samples, collator)
        except WorkloadError as error:
            if _is_final(error):
                raise
            first = first or error
    assert first is not None
    raise first


def _hold_draws(check: CheckConfig, model: PreTrainedModel, alone: Callable[[], torch.Tensor]) -> None:
    """Run the model on one sample ``alone``, where a batch norm may lack values, and fix what it draws.

    A checkpointed layer is computed again outside of forward, where it would draw other numbers.
    """
    if check.training_arguments.get("gradient_checkpointing"):
        alone()
    else:
        hold_draws(model, alone)


@torch.no_grad()
def _run(model: PreTrainedModel, collator: Collator, samples: list[Sample]) -> torch.Tensor:
    outputs = model(**moved(collator(samples), next(model.parameters()).device))
    check_loss(outputs)
    loss: torch.Tensor = outputs.loss
    return loss


def _is_final(error: WorkloadError) -> bool:
    """Whether the error is the same for every size: a package is missing, or the kind of head is not supported."""
    return isinstance(error, UnsupportedHeadError) or isinstance(error.__cause__, ImportError)
