"""Check that every run of a program starts from the same weights and keeps them; else no gradient can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from accumcheck.capture.coordinates import AT_ONCE
from accumcheck.capture.shards import parameters_of
from accumcheck.errors import RefusedError
from accumcheck.runfolder.first_weights import FirstWeights, first_weights

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def reference_model_of(trainer: Any) -> torch.nn.Module | None:
    """The frozen model that preference tuning compares with. TRL and LLaMA-Factory give it the same name."""
    model = getattr(trainer, "ref_model", None)
    return model if isinstance(model, torch.nn.Module) else None


def sums_of(model: torch.nn.Module, reference: torch.nn.Module | None = None) -> dict[str, int]:
    """An integer checksum of every parameter: the sum of the bit patterns of its entries, exact and in any order.

    Narrow floats are summed as float32, because FSDP keeps a bfloat16 model as float32 with the same values. If the
    model is sharded, every process must call this.

    ``reference``: a frozen model that is part of the loss; its names begin with ``ref_model.``.
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
            # of a large one, a part at a time: it is copied
            flat = value.contiguous().reshape(-1)
            found[name] = sum(_sum_of(flat[at : at + AT_ONCE]) for at in range(0, len(flat), AT_ONCE))
    return found


def _sum_of(flat: torch.Tensor) -> int:
    if flat.is_floating_point() and flat.element_size() > 1:
        flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
        flat = flat + 0.0  # an update by 0 can turn -0.0 into 0.0
    return int(flat.view(_BITS[flat.element_size()]).sum(dtype=torch.int64))


def check_same_start(run: Path, who: str, sums: Mapping[str, int]) -> None:
    """Compare the weights with those of the split, or the reference, of this run that began first.

    Only the first process of each is compared: others that start elsewhere are a fault of the split, which is judged.

    Args:
        run: the folder of the run.
        who: this job and process, for a message.
        sums: the checksums of the weights at its start.

    Raises:
        RefusedError: the weights differ.
    """
    first = first_weights(run, FirstWeights(who, sums))
    if changed := differing(first.sums, sums):
        raise RefusedError(
            f"{who} starts from different weights than {first.who} ({len(changed)} of {len(sums)} parameters differ, "
            f"for example {changed[0]}), so their gradients cannot be compared; make the program start from the same "
            "weights each time: call transformers.set_seed(0) before it makes its model, or load a checkpoint"
        )


def check_weights_held(begun: Mapping[str, int], ended: Mapping[str, int]) -> None:
    """Check that training has not changed the weights, which must be held still.

    Args:
        begun: the checksums of the weights before the first step.
        ended: the checksums after the last step.

    Raises:
        RefusedError: the weights have changed.
    """
    if moved := differing(begun, ended):
        raise RefusedError(
            f"something other than an optimizer step changed {len(moved)} of {len(begun)} parameters (for example "
            f"{moved[0]}). accumcheck undoes only the changes of optimizer steps, so the steps did not all start from "
            "the same weights; let nothing but an optimizer change the weights during the check"
        )


def differing(first: Mapping[str, int], second: Mapping[str, int]) -> list[str]:
    """The parameters whose checksums differ, or that only one side has."""
    return [name for name in {**first, **second} if first.get(name) != second.get(name)]
