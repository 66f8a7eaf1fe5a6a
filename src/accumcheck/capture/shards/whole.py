"""One whole parameter: the common form of all kinds of sharding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

_WRAPPERS = {"_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_orig_mod"}
"""The names under which FSDP, activation checkpointing and ``torch.compile`` keep what they wrap."""


class Whole(Protocol):
    """One parameter of a model. Its tensors are flat, complete, and the same in every process of a group."""

    @property
    def name(self) -> str:
        """Its name in the model, without what wrappers add."""

    @property
    def numel(self) -> int:
        """How many entries it has in all processes together."""

    @property
    def requires_grad(self) -> bool:
        """Whether it is trained."""

    @property
    def dtype(self) -> torch.dtype:
        """Of its entries, as the optimizer has them."""

    def value(self) -> torch.Tensor:
        """Its entries, shape ``[numel]``; every process of its group must call this."""

    def gradient(self) -> torch.Tensor:
        """The gradient that the optimizer would apply, shape ``[numel]``; zeros if none has reached it.

        Every process of its group must call this.

        Raises:
            WorkloadError: the gradient does not have this parameter's size.
        """


def flat_of(gradient: torch.Tensor) -> torch.Tensor:
    """All entries of a gradient, ``[entries]``; an embedding's may be sparse."""
    dense = gradient.detach() if gradient.layout == torch.strided else gradient.detach().to_dense()
    return dense.reshape(-1)


@dataclass(frozen=True)
class Plain:
    """A parameter that is not sharded."""

    name: str
    parameter: torch.Tensor

    @property
    def numel(self) -> int:
        """See `Whole.numel`."""
        return self.parameter.numel()

    @property
    def requires_grad(self) -> bool:
        """See `Whole.requires_grad`."""
        return self.parameter.requires_grad

    @property
    def dtype(self) -> torch.dtype:
        """See `Whole.dtype`."""
        return self.parameter.dtype

    def value(self) -> torch.Tensor:
        """See `Whole.value`."""
        return self.parameter.detach().reshape(-1)

    def gradient(self) -> torch.Tensor:
        """See `Whole.gradient`."""
        grad = self.parameter.grad
        return flat_of(torch.zeros_like(self.parameter) if grad is None else grad)


def canonical(name: str) -> str:
    """The name of a parameter without what wrappers add: ``_orig_mod.lm_head.weight`` is ``lm_head.weight``."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)
