"""Which entries of the gradient are kept, and how they are read from a model.

Sample weights solve a linear system, and any subset of its equations is still exact: a big model needs a few hundred
thousand entries of its gradient, not billions. Every parameter keeps a share, so that a fault in one of them shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.shards import Whole, canonical, parameters_of
from accumcheck.capture.shards.whole import flat_of
from accumcheck.errors import UnsupportedError
from accumcheck.record import Coordinates

LIMIT = 262_144
"""Maximum of entries kept: with 128 samples in float32 that is 128 MiB of reference gradients per step."""


def share_out(sizes: Sequence[int], limit: int) -> list[int]:
    """How many entries each parameter keeps: all of a small one; the others share the rest equally.

    Args:
        sizes: number of entries of each parameter.
        limit: entries kept in total; exceeded only if there are more parameters than that: then one entry of each.
    """
    kept = [0] * len(sizes)
    left = limit
    by_size = sorted(range(len(sizes)), key=lambda position: sizes[position])
    for done, position in enumerate(by_size):
        share = max(1, left // (len(sizes) - done))
        kept[position] = min(sizes[position], share)
        left -= kept[position]
    return kept


@dataclass(frozen=True, slots=True)
class Reading:
    """One parameter's gradient: its kept entries, ``[entries]``, the norm of the whole gradient, and its dtype.

    ``projections``: of the whole gradient on random directions; empty if all entries are kept; ``own_norm``: as torch
    computes the norm in the gradient's dtype, None if the gradient is too small for that to matter.
    """

    entries: npt.NDArray[np.floating[Any]]
    norm: float
    dtype: torch.dtype
    projections: tuple[float, ...] = ()
    own_norm: float | None = None

    def over(self, coefficient: float) -> Reading:
        """This gradient divided by ``coefficient``."""
        projections = tuple(one / coefficient for one in self.projections)
        own = None if self.own_norm is None else self.own_norm / coefficient
        return Reading(self.entries / coefficient, self.norm / coefficient, self.dtype, projections, own)


PROJECTIONS = 4
"""Number of random directions on which the gradient of a parameter is projected if not all its entries are kept."""
AT_ONCE = 2**22
"""Entries of a tensor that are computed with at once where they are made wider: a table of a vocabulary, made float64
as a whole, would be a large part of a step's memory."""


def norm_of(flat: torch.Tensor, minus: torch.Tensor | None = None) -> float:
    """The norm of a flat tensor, or of its difference from another one, added up in float64.

    The difference is taken in float32, or in float64 if ``flat`` is so.
    """
    parts = []
    for start in range(0, max(len(flat), 1), AT_ONCE):
        part = flat[start : start + AT_ONCE]
        if minus is not None:
            wide = torch.promote_types(flat.dtype, torch.float32)
            part = part.to(wide) - minus[start : start + AT_ONCE].to(wide)
        parts.append(torch.linalg.vector_norm(part, dtype=torch.float64))
    return float(parts[0] if len(parts) == 1 else torch.linalg.vector_norm(torch.stack(parts)))


def projected(gradient: torch.Tensor, seed: int) -> tuple[float, ...]:
    """``v . g`` for `PROJECTIONS` vectors ``v`` of random signs: the same on every device for a given seed and size.

    The mean square of ``v . e`` is the squared norm of ``e``, whichever of its entries are not 0.
    """
    found = torch.zeros(PROJECTIONS, dtype=torch.float64, device=gradient.device)
    for start in range(0, len(gradient), AT_ONCE):
        part = gradient[start : start + AT_ONCE]
        found += signed_sums(part, random_bits(len(part), seed, start, part.device))
    return tuple(found.tolist())


def random_bits(count: int, seed: int, start: int, device: torch.device) -> torch.Tensor:
    """`PROJECTIONS` random bits for each of ``count`` entries from ``start`` on, ``[count]`` in uint8.

    ``start`` is a multiple of 16. They are SplitMix64's (Steele, Lea and Flood, Fast Splittable Pseudorandom Number
    Generators, OOPSLA 2014), made by integer arithmetic on the device itself: torch's own generators differ between
    devices, and to draw seven billion numbers on the host takes half a minute.
    """
    each = 64 // PROJECTIONS  # halves of bytes in a word
    assert PROJECTIONS == 4
    assert start % each == 0
    words = torch.arange(-(-count // each), dtype=torch.int64, device=device) + (start // each + (seed << 36))
    words *= -0x61C8864680B583EB  # 0x9E3779B97F4A7C15 as a signed number; products wrap around
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15), (31, 1)):
        words ^= words >> shift & (1 << 64 - shift) - 1  # without copies of the sign
        words *= factor
    halves = words.view(torch.uint8)
    return torch.cat([halves & 15, halves >> 4])[:count]


def signed_sums(part: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """The sums of the entries, each with the sign that a bit gives it, in float64: ``[PROJECTIONS]``.

    On a CPU the entries of each pattern of bits are summed first, eight times as fast. On a GPU that would not be
    deterministic (``torch.bincount`` with weights).
    """
    if part.device.type == "cpu":
        sums = torch.bincount(bits, weights=part.to(torch.float64), minlength=2**PROJECTIONS)
        patterns = torch.arange(2**PROJECTIONS)
        return torch.stack([(sums * (2 * (patterns >> at & 1) - 1)).sum() for at in range(PROJECTIONS)])
    return signed_sums_in_order(part, bits)


def signed_sums_in_order(part: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """`signed_sums` on a GPU."""
    wide = part.to(torch.float64 if part.dtype == torch.float64 else torch.float32)
    total = wide.sum(dtype=torch.float64)
    ones = [(wide * (bits >> at & 1)).sum(dtype=torch.float64) for at in range(PROJECTIONS)]
    return torch.stack([2 * one - total for one in ones])


def named_parameters_of(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters of a model that is not sharded, by the names that readers give them."""
    return {canonical(name): parameter for name, parameter in model.named_parameters()}


@dataclass(frozen=True)
class GradientReader:
    """Reads the kept entries of a model's gradient, in the order of ``named_parameters()``.

    Two readers made with the same seed from models of the same parameters keep the same entries, also where one of the
    models is sharded: entries are counted in whole parameters.
    """

    coordinates: Coordinates
    numels: tuple[int, ...]
    picks: tuple[torch.Tensor | None, ...]

    @classmethod
    def of(cls, model: torch.nn.Module, *, seed: int, limit: int = LIMIT) -> GradientReader:
        """Choose the entries for this model's parameters; those that need no gradient are left out."""
        trained = [parameter for parameter in parameters_of(model) if parameter.requires_grad]
        sizes = [parameter.numel for parameter in trained]
        kept = sizes if sum(sizes) <= limit else share_out(sizes, limit)
        generator = torch.Generator().manual_seed(seed)
        picks: list[torch.Tensor | None] = []
        for size, count in zip(sizes, kept, strict=True):
            if count == size:
                picks.append(None)
            else:  # duplicates among random picks only repeat an equation; sorting keeps reads local
                picks.append(torch.randint(size, (count,), generator=generator).sort().values)
        starts = np.concatenate([[0], np.cumsum(kept)[:-1]]) if kept else np.zeros(0)
        return cls(
            Coordinates(
                names=tuple(parameter.name for parameter in trained),
                sizes=tuple(kept),
                starts=tuple(int(start) for start in starts),
                total=sum(sizes),
            ),
            tuple(sizes),
            tuple(picks),
        )

    def positions_of(self, parameters: Mapping[str, torch.nn.Parameter]) -> dict[int, int]:
        """The position of each of these parameters, by its ``id``, among the reader's; others are left out."""
        at = {name: position for position, name in enumerate(self.coordinates.names)}
        return {id(parameter): at[name] for name, parameter in parameters.items() if name in at}

    def entries(self, position: int, flat: torch.Tensor) -> npt.NDArray[np.floating[Any]]:
        """The kept entries of one parameter's flat tensor: as float64 for a float64 one, else as float32."""
        pick = self.picks[position]
        chosen = flat if pick is None else flat[pick.to(flat.device)]
        return chosen.to(torch.float64 if flat.dtype == torch.float64 else torch.float32, copy=True).cpu().numpy()

    def part(self, position: int, gradient: torch.Tensor) -> Reading:
        """The kept entries of one parameter's flat gradient, with its norm and its projections."""
        pick = self.picks[position]
        return Reading(
            self.entries(position, gradient),
            norm_of(gradient),
            gradient.dtype,
            () if pick is None else projected(gradient, position),
            float(torch.linalg.vector_norm(gradient)) if len(gradient) > AT_ONCE else None,
        )

    def _gradients(self, model: torch.nn.Module) -> Iterator[torch.Tensor]:
        """The gradient of each parameter of the reader, whole and flat; zeros if no gradient has reached it.

        Raises:
            LookupError: the model lacks one of the reader's parameters.
            UnsupportedError: a parameter has a different size.
        """
        parameters: dict[str, Whole] = {parameter.name: parameter for parameter in parameters_of(model)}
        for name, numel in zip(self.coordinates.names, self.numels, strict=True):
            if name not in parameters:
                raise LookupError(f"the trained model has no parameter {name!r}, which the checked model has")
            if parameters[name].numel != numel:
                raise UnsupportedError(
                    f"the optimizer's step finds {parameters[name].numel} entries of {name} in this process, which had "
                    f"{numel} when training began: it is sharded in an unsupported way"
                )
            yield parameters[name].gradient()

    def read_plain(self, parameters: Mapping[str, torch.nn.Parameter]) -> npt.NDArray[np.floating[Any]]:
        """The kept entries, ``[coordinates]``, of a model that is not sharded; faster than `read`, without the norm.

        Entries come as float64 for a float64 model, else as float32; zeros if no gradient has reached a parameter.

        Args:
            parameters: of the model for which the reader was made, see `named_parameters_of`.
        """
        entries = []
        for name, numel, pick in zip(self.coordinates.names, self.numels, self.picks, strict=True):
            grad = parameters[name].grad
            if grad is None:
                entries.append(parameters[name].new_zeros(numel if pick is None else len(pick)))
            else:
                flat = flat_of(grad)
                entries.append(flat if pick is None else flat[pick.to(flat.device)])
        if not entries:
            return np.zeros(0, dtype=np.float32)
        wide = [one.to(torch.float64 if one.dtype == torch.float64 else torch.float32) for one in entries]
        return torch.cat(wide).cpu().numpy()

    def read(self, model: torch.nn.Module) -> tuple[npt.NDArray[np.floating[Any]], float]:
        """The kept entries, shape ``[coordinates]``, and the norm of the whole gradient.

        Entries come as float64 for a float64 model, else as float32, which holds every bfloat16 and float16 exactly.
        If the model is sharded, every process of its group must call this: one parameter at a time is gathered.
        """
        entries: list[torch.Tensor] = []
        squares: list[torch.Tensor] = []
        for grad, pick in zip(self._gradients(model), self.picks, strict=True):
            chosen = grad if pick is None else grad[pick.to(grad.device)]
            entries.append(chosen.to(torch.float64 if grad.dtype == torch.float64 else torch.float32))
            squares.append(torch.linalg.vector_norm(grad, dtype=torch.float64).square())
        if not entries:
            return np.zeros(0, dtype=np.float32), 0.0
        return torch.cat(entries).cpu().numpy(), float(torch.stack(squares).sum().sqrt())
