"""What the model is fed in each forward: read from its inputs, or reported by the stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from accumcheck.capture.losses import TOKEN_COUNT, Watched
from accumcheck.capture.patches import Patches
from accumcheck.capture.windows import Call, Window


class FindsRows(Protocol):
    """Identifies rows by their content."""

    def find(self, batch: Mapping[str, Any]) -> tuple[int, ...]:
        """A number for every row of a batch."""

    def join(self, fed: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """The numbers of the rows of one micro-batch that several forwards were fed."""


class Forwards:
    """Adds the forwards of one process to the open window.

    Args:
        window: of the process.
        samples: identifies rows.
        begins: called with the model when one of its forwards begins.
    """

    def __init__(self, window: Window, samples: FindsRows, begins: Callable[[torch.nn.Module], None]) -> None:
        self._window = window
        self._samples = samples
        self._begins = begins
        self._calling: Watched | None = None
        self._fed = 0
        self.are_told = False
        """Rows are reported through `feed` and not read from the model's inputs."""
        self.has_trainer = False
        """Whether a Trainer feeds the model: then forwards belong to the micro-batch that was reported last."""

    def watch(self, model: torch.nn.Module, patches: Patches) -> None:
        """Watch the forwards of this model, until the patches are undone."""
        patches.at_end(model.register_forward_pre_hook(self._before, with_kwargs=True).remove)
        patches.at_end(model.register_forward_hook(self._after).remove)

    def feed(self, batch: Mapping[str, Any]) -> None:
        """Take the rows of one micro-batch, however often the model is called for it."""
        self._window.call(Call(0, self._samples.find(batch)), told=True)

    def called(self, module: int, batch: Mapping[str, Any]) -> None:
        """One of the trained modules is called; ``batch``: inputs by name, empty if it is fed no data directly."""
        rows = self._samples.find(batch) if batch else ()
        fed = len(rows) or self._fed
        self._calling = Watched(batch.get(TOKEN_COUNT), fed if self.are_told else 0)
        self._fed = fed
        self._window.call(Call(module, rows, self._calling))

    def returned(self, output: Any) -> None:
        """The module that was called last has returned this output."""
        if self._calling is not None:
            self._calling.returned(output)
            self._calling = None

    def _before(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not torch.is_grad_enabled():
            return
        self._begins(module)
        if not self.are_told:
            self.called(0, dict(args[0]) if args and isinstance(args[0], Mapping) else kwargs)
        elif self.has_trainer:
            told = self._window.groups[-1].calls if self._window.groups else []
            self._calling = Watched(kwargs.get(TOKEN_COUNT), len(told[0].rows) if told else 0)
            if self._window.groups:
                told.append(Call(0, (), self._calling))

    def _after(self, module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:  # noqa: ARG002
        if torch.is_grad_enabled() and (self.has_trainer or not self.are_told):
            self.returned(output)
