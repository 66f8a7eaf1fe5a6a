"""The gradient at the moment an optimizer changes the parameters, for any kind of optimizer.

It is read as late as torch allows: after the hooks that a program has put on its optimizer, after the step's
closure, in the innermost step if an optimizer class calls the step of its base class, and without the scale that a
fused optimizer divides out by itself (``torch.amp.GradScaler`` hands it over as ``optimizer.grad_scale``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle


class Steps(Protocol):
    """The functions that are called around optimizers' steps."""

    def step_begins(self, optimizer: torch.optim.Optimizer) -> None:
        """A step begins. Called once for an optimizer whose step calls another one inside."""

    def closure_begins(self, *, again: bool) -> None:
        """The current step calls its closure, for the first time or again."""

    def step_applies(self, optimizer: torch.optim.Optimizer) -> None:
        """The parameters of this optimizer are about to be changed, using their present gradients.

        It may be called more than once in a step: the last call for a parameter is what counts.
        """

    def step_ended(self, optimizer: torch.optim.Optimizer) -> None:
        """The step that began has ended."""


class StepWatch:
    """Sees every step of every torch optimizer in the process, from now until `stop`."""

    def __init__(self) -> None:
        self._listener: Steps | None = None
        self._depth = 0
        self._outermost: torch.optim.Optimizer | None = None
        self._last: dict[int, RemovableHandle] = {}
        self._handles = [
            register_optimizer_step_pre_hook(self._before),
            register_optimizer_step_post_hook(self._after),
        ]
        self._bases: dict[type, tuple[Any, Any]] = {}
        self.closures = 0
        """How often the last step has called its closure."""

    @property
    def stepping(self) -> torch.optim.Optimizer | None:
        """The optimizer whose step has begun and not ended."""
        return self._outermost

    def tell(self, listener: Steps) -> None:
        """Call this listener from now on; at once if a step has begun, since its closure may begin the training."""
        self._listener = listener
        if self._outermost is not None:
            listener.step_begins(self._outermost)

    def stop(self) -> None:
        """Remove every hook."""
        for handle in [*self._handles, *self._last.values()]:
            handle.remove()
        for base, (step, ours) in self._bases.items():
            if vars(base).get("step") is ours:  # else torch has hooked it in the meantime
                base.step = step  # type: ignore[attr-defined]
        self._handles, self._last, self._bases = [], {}, {}

    def _before(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self._depth += 1
        if self._depth == 1:
            self._outermost = optimizer
            self.closures = 0
            self._watch_bases(type(optimizer))
            if self._listener is not None:
                self._listener.step_begins(optimizer)
        # registered again each time: hooks run in order of registration, and the program may have added some
        if (old := self._last.pop(id(optimizer), None)) is not None:
            old.remove()
        self._last[id(optimizer)] = optimizer.register_step_pre_hook(self._after_own_hooks)

    def _watch_bases(self, kind: type) -> None:
        """See the steps of an optimizer's base classes, which torch hooks only if an object of theirs was made.

        A step that changes gradients and then calls that of its base applies what it has made of them.
        """
        for base in kind.__mro__[1:]:
            step = vars(base).get("step")
            own = base is not torch.optim.Optimizer and base not in self._bases
            if own and callable(step) and not getattr(step, "hooked", False):
                ours = self._seeing(step)
                self._bases[base] = step, ours
                base.step = ours  # type: ignore[attr-defined]

    def _seeing(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)
        def seen(optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> Any:
            if optimizer is self._outermost and not any(map(callable, (*args, *kwargs.values()))):
                self._applies(optimizer)  # otherwise after its closure
            return step(optimizer, *args, **kwargs)

        return seen

    def _after_own_hooks(
        self, optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Torch passes the optimizer itself as the first of ``args``."""
        closure = kwargs.get("closure") if "closure" in kwargs else (args[1] if len(args) > 1 else None)
        if not callable(closure):
            self._applies(optimizer)
            return None

        def watched() -> Any:
            if self._outermost is optimizer and self._listener is not None:
                self._listener.closure_begins(again=self.closures > 0)
            result = closure()
            if self._outermost is optimizer:
                self.closures += 1
            self._applies(optimizer)
            return result

        if "closure" in kwargs:
            return args, {**kwargs, "closure": watched}
        return (args[0], watched, *args[2:]), kwargs

    def _applies(self, optimizer: torch.optim.Optimizer) -> None:
        if self._listener is not None:
            self._listener.step_applies(optimizer)

    def _after(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self._depth = max(0, self._depth - 1)
        if self._depth == 0:
            self._outermost = None
            if self._listener is not None:
                self._listener.step_ended(optimizer)


def scale_of(optimizer: torch.optim.Optimizer) -> torch.Tensor | None:
    """What this optimizer divides the gradients by inside its step; None if it does not divide them."""
    scale = getattr(optimizer, "grad_scale", None)
    return scale if isinstance(scale, torch.Tensor) else None


def parameters_in(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The parameters that the optimizer holds, in the order of its groups."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
