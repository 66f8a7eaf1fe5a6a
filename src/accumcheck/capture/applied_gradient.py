"""The gradient of one window as its optimizers apply it, combined over all optimizers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from accumcheck.capture.applied import parameters_in, scale_of
from accumcheck.capture.clipping import Clip
from accumcheck.capture.coordinates import GradientReader, Reading
from accumcheck.capture.gradient import StepGradient, put_together
from accumcheck.capture.shards.whole import flat_of
from accumcheck.capture.unclipped import Unclipped
from accumcheck.errors import UnsupportedError


class AppliedGradient:
    """Reads what optimizers are about to apply, until the window's end.

    Args:
        reader: which entries are kept.
        positions: of parameters in the reader, by their ``id``; empty for a sharded model.
    """

    def __init__(self, reader: GradientReader, positions: Mapping[int, int]) -> None:
        self._reader = reader
        self._positions = positions
        self._applied: dict[int, Reading] = {}
        self._unclipped = Unclipped()
        self._whole: StepGradient | None = None
        self._stepped: list[set[int]] = []
        self.held: set[int] = set()
        """The positions of all parameters that an optimizer has ever stepped."""

    def held_by(self, optimizers: Iterable[torch.optim.Optimizer]) -> set[int]:
        """The positions of the parameters that these optimizers hold."""
        found = {self._positions.get(id(parameter)) for one in optimizers for parameter in parameters_in(one)}
        return {position for position in found if position is not None}

    def read_whole(self, optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> None:
        """Take the whole gradient of a sharded model, which its optimizer is about to apply.

        Raises:
            UnsupportedError: the optimizer steps copies of the parameters, so the gradient is not in the model.
        """
        entries, norm = self._reader.read(model)
        if norm == 0 and not _steps(optimizer, model):
            raise UnsupportedError(
                f"the optimizer ({type(optimizer).__name__}) steps tensors other than the model's parameters, "
                "which have no gradient, so accumcheck cannot see the applied gradient; train without whatever "
                "keeps its own copies of the parameters"
            )
        self._whole = StepGradient(entries, np.array([norm]), 1.0)

    def read(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the gradients of the optimizer's parameters, as it is about to apply them: the last reading counts."""
        scale = scale_of(optimizer)
        for parameter in parameters_in(optimizer):
            position = self._positions.get(id(parameter))
            if position is None:
                continue
            self.held.add(position)
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            flat = flat_of(gradient)
            self._applied[position] = self._reader.part(position, flat if scale is None else flat / scale)

    def stepped(self, optimizer: torch.optim.Optimizer) -> bool:
        """Note that the optimizer has stepped; return whether it holds any parameter of the model."""
        held = self.held_by([optimizer])
        if not held and self._whole is None:
            return False
        self._stepped.append(held)
        return True

    def stepped_by_now(self) -> set[int]:
        """The positions of all parameters that have been stepped in this window."""
        return set().union(*self._stepped)

    def stepped_before(self, phase: int) -> set[int]:
        """Parameters that were changed before this phase of the window and not after: it adds nothing to them."""
        return set().union(*self._stepped[:phase]) - set().union(*self._stepped[phase:])

    def about_to_clip(self, tensors: Iterable[torch.Tensor], groups: int) -> None:
        """Keep gradients that are about to be clipped, after this many groups of the window."""
        readings = {}
        for parameter in tensors:
            position = self._positions.get(id(parameter))
            if position is not None and parameter.grad is not None:
                readings[position] = self._reader.part(position, flat_of(parameter.grad))
        self._unclipped.about_to_clip(readings, groups)

    def clipped(self, clip: Clip) -> None:
        """These gradients have now been clipped."""
        self._unclipped.clipped(clip)

    def take(self, groups: int, clips: Sequence[Clip]) -> StepGradient:
        """The gradient of a window with this many groups, before the clips at its end."""
        return self._whole or put_together(self._reader, self._applied, self._unclipped.take(groups), clips)

    def window_ended(self) -> None:
        """The next window begins."""
        self._applied, self._whole, self._stepped = {}, None, []


def _steps(optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> bool:
    """Whether any of the optimizer's parameters is the model's."""
    stepped = {id(parameter) for parameter in parameters_in(optimizer)}
    return any(id(parameter) in stepped for parameter in model.parameters())
