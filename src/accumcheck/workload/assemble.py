"""The workload of a check: the model and the samples, the same in every process of every split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accumcheck.rows.collate import Collator
from accumcheck.workload.data import Sample, build_samples
from accumcheck.workload.model import build_model

if TYPE_CHECKING:
    import torch

    from accumcheck.config.model import CheckConfig


@dataclass(frozen=True)
class Workload:
    """``samples`` is the data set: one epoch is the whole check, unless ``data.epochs`` asks for several."""

    model: torch.nn.Module
    samples: list[Sample]
    collator: Collator


def build_workload(check: CheckConfig, device: str) -> Workload:
    """Make the model on ``device`` and the samples on the CPU.

    Raises:
        WorkloadError: the model or the data could not be made.
    """
    model = build_model(check.model, seed=check.seed, device=device)
    samples = build_samples(check, model, check.sample_count)
    return Workload(model, samples, Collator.of(model))
