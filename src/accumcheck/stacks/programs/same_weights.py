"""Whether every run of a program starts from the same weights, and keeps them: else its gradients tell nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from accumcheck.capture.shards import parameters_of
from accumcheck.errors import RefusedError
from accumcheck.runfolder.first_weights import FirstWeights, first_weights

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def reference_model_of(trainer: Any) -> torch.nn.Module | None:
    """The frozen model that preference tuning compares with, by the name that TRL and LLaMA-Factory give it."""
    model = getattr(trainer, "ref_model", None)
    return model if isinstance(model, torch.nn.Module) else None


def sums_of(model: torch.nn.Module, reference: torch.nn.Module | None = None) -> dict[str, int]:
    """A whole number for every parameter, the sum of its entries' bit patterns: exact, and in any order the same.

    Narrow floats are summed as float32: FSDP keeps a model's bfloat16 as float32, with the same values. Of a sharded
    model, every process must ask.

    ``reference``: a frozen model that takes part in the loss; its names begin with ``ref_model.``.
    """
    named = [(parameter.name, parameter) for parameter in parameters_of(model)]
    if reference is not None:
        named += [(f"ref_model.{parameter.name}", parameter) for parameter in parameters_of(reference)]
    found = {}
    with torch.no_grad():
        for name, parameter in named:
            value = parameter.value()
            if value.is_complex():
                value = torch.view_as_real(value)
            if value.is_floating_point() and value.element_size() > 1:
                value = value.to(torch.promote_types(value.dtype, torch.float32))
                value = value + 0.0  # of the two zeros, an update by 0 can make one from the other
            bits = value.contiguous().reshape(-1).view(_BITS[value.element_size()])
            found[name] = int(bits.sum(dtype=torch.int64))
    return found


def check_same_start(run: Path, who: str, sums: Mapping[str, int]) -> None:
    """Compare with whoever of this run began first.

    Args:
        run: the run's folder.
        who: this job and process, for a message.
        sums: of the weights that it begins with.

    Raises:
        RefusedError: they differ.
    """
    first = first_weights(run, FirstWeights(who, sums))
    if changed := differing(first.sums, sums):
        raise RefusedError(
            f"{who} starts from different weights than {first.who} ({len(changed)} of {len(sums)} parameters, "
            f"{changed[0]} among them), so their gradients cannot be compared; make the program start from the same "
            "weights each time: call transformers.set_seed(0) before it makes its model, or load a checkpoint"
        )


def check_weights_held(begun: Mapping[str, int], ended: Mapping[str, int]) -> None:
    """Check that training has left the weights as they were: it was to hold them still.

    Args:
        begun: the sums of the weights that it began with.
        ended: of those after the last step.

    Raises:
        RefusedError: they have changed.
    """
    if moved := differing(begun, ended):
        raise RefusedError(
            f"training changed {len(moved)} of {len(begun)} parameters ({moved[0]} among them) outside of its "
            "optimizers' steps, whose changes are taken back, so that its steps are not tests of one set of weights; "
            "let nothing but an optimizer change them during the check"
        )


def differing(first: Mapping[str, int], second: Mapping[str, int]) -> list[str]:
    """The parameters whose sums differ, or that one side lacks."""
    return [name for name in {**first, **second} if first.get(name) != second.get(name)]
