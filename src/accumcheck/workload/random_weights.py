"""Random weights that are the same in every process and in every transformers release."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Parts of parameter names that releases added, removed or moved. Names without them are canonical.
_WRAPPERS = frozenset(
    {"model", "language_model", "text_model", "vision_model", "transformer", "base_model", "module", "backbone"}
)
_RENAMED = {"embed_out": "lm_head"}  # GPT-NeoX before 5.0, and from 5.0 on
_LARGE = 50_000_000


def draw_weights(model: PreTrainedModel, seed: int) -> None:
    """Draw every parameter in place.

    Each parameter has its own generator, with a key from the seed and its canonical name. So neither the order of
    construction nor the names of a release matter. Values are drawn in float32 and then cast: a bfloat16 model is the
    rounded float32 model, and a float64 model equals it.

    Matrices are normal with standard deviation ``1/sqrt(fan_in)``, so that logits are of order one and samples differ
    in loss (with transformers' own 0.02 every loss of a small model is close to ``ln(vocabulary)`` and faults are
    hard to distinguish). Vectors that are constant at initialisation (norm scales, biases) get that constant plus
    ``0.02 * normal``. Tables that the architecture computes (sinusoids, state-space decays) stay as they are.

    Args:
        model: the newly constructed model.
        seed: the same seed and device give the same weights.
    """
    named = canonical_names(model)
    owners = _owners(model)
    on_device = sum(parameter.numel() for parameter in named.values()) > _LARGE
    for name, parameter in named.items():
        device = parameter.device if on_device else torch.device("cpu")
        _draw(parameter, owners[id(parameter)], _generator(name, seed, device))


def canonical_names(model: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters without duplicates, under names that do not depend on the release.

    Names of wrappers are removed. If two names then collide (equal text and vision towers), they are numbered in the
    order of their full names. Tied parameters appear once, under the first of their sorted names.
    """
    full: dict[int, tuple[str, nn.Parameter]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if id(parameter) not in full or _canonical(name) < _canonical(full[id(parameter)][0]):
            full[id(parameter)] = (name, parameter)
    groups: dict[str, list[tuple[str, nn.Parameter]]] = defaultdict(list)
    for name, parameter in full.values():
        groups[_canonical(name)].append((name, parameter))
    named = {}
    for canonical, members in sorted(groups.items()):
        for number, (_, parameter) in enumerate(sorted(members, key=lambda member: member[0])):
            named[f"{canonical}#{number}"] = parameter
    return named


def _canonical(name: str) -> str:
    return ".".join(_RENAMED.get(segment, segment) for segment in name.split(".") if segment not in _WRAPPERS)


def _owners(model: nn.Module) -> dict[int, nn.Module]:
    return {id(parameter): module for module in model.modules() for parameter in module.parameters(recurse=False)}


def _generator(name: str, seed: int, device: torch.device) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


@torch.no_grad()
def _draw(parameter: nn.Parameter, owner: nn.Module, generator: torch.Generator) -> None:
    if not parameter.is_floating_point() or parameter.numel() == 0 or _computed(parameter):
        return
    noise = torch.randn(parameter.shape, generator=generator, device=generator.device, dtype=torch.float32)
    flat = parameter.flatten()
    constant = bool((flat == flat[0]).all()) or not math.isfinite(float(flat[0]))
    if parameter.ndim >= 2:
        noise /= math.sqrt(_fan_in(parameter, owner))
    elif constant:
        start = float(flat[0]) if math.isfinite(float(flat[0])) else 0.0
        noise = start + 0.02 * noise
    else:
        noise /= math.sqrt(parameter.numel())
    parameter.copy_(noise.to(parameter.dtype))


def _fan_in(parameter: torch.Tensor, owner: nn.Module) -> int:
    if isinstance(owner, nn.modules.conv._ConvNd):
        return max(1, math.prod(parameter.shape[1:]))
    if type(owner).__name__ == "Conv1D":  # transformers' linear layer of GPT-2, stored [in, out]
        return parameter.shape[0]
    return max(1, parameter.shape[-1])


def _computed(parameter: nn.Parameter) -> bool:
    """Whether the architecture computed this table: it is frozen, has equal rows, or is a monotonic vector."""
    if not parameter.requires_grad:
        return True
    values = parameter.detach()
    if bool((values == values.flatten()[0]).all()):
        return False
    if values.ndim >= 2:
        return values.shape[0] > 1 and bool((values == values[:1]).all())
    steps = values.diff()
    return values.numel() >= 4 and (bool((steps > 0).all()) or bool((steps < 0).all()))
