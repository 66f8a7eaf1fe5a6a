"""``stack: mutated:BASE:MUTANT``, in the processes of `mutants.py` alone: a stack of accumcheck's under a mutant.

MUTANT is an id, ``none``, or ``trace``: then the lines of the targets that are executed are written down.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from accumcheck.stacks.protocol import Loop, LoopSpec
from accumcheck.stacks.registry import find_stack
from accumcheck.stacks.trainer import TrainerLoop
from mutation.mutants import apply, function_of
from mutation.targets import TARGETS

RESULTS = "MUTATION_RESULTS"
"""The environment variable with the folder where workers write."""


class _MeanLoop(TrainerLoop):
    """A model that is not given the count: Trainer divides its mean loss by the accumulation steps."""

    def trainer(self, training: Any, **arguments: Any) -> Any:
        made = super().trainer(training, **arguments)
        made.model_accepts_loss_kwargs = False
        return made


class MutatedLoop:
    """A loop whose training runs mutated code; what its optimizer is given is hashed, entry by entry."""

    def __init__(self, base: str, mutant: str) -> None:
        spec = find_stack("trainer" if base == "mean" else base)
        assert isinstance(spec, LoopSpec)
        self._loop: Any = _MeanLoop() if base == "mean" else spec.make("")
        self._mutant = mutant

    def train(self, training: Any, observer: Any) -> None:
        """See `Loop.train`."""
        with _under(self._mutant, training), _hashed(training):
            self._loop.train(training, observer)

    def train_freely(self, training: Any) -> Any:
        """See `Loop.train_freely`; the code is mutated already."""
        return self._loop.train_freely(training)


@contextmanager
def _under(mutant: str, training: Any) -> Iterator[None]:
    if mutant == "trace":
        with _traced(training):
            yield
        return
    if mutant != "none":
        apply(mutant)
    yield


@contextmanager
def _hashed(training: Any) -> Iterator[Any]:
    """Every gradient that an optimizer is given and the weights that it is applied to, to the bit."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    found = hashlib.sha256()

    def see(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            found.update(repr(group["lr"]).encode())
            for parameter in group["params"]:
                for tensor in (parameter.detach(), parameter.grad):
                    if tensor is not None:
                        found.update(tensor.detach().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())

    handle = register_optimizer_step_pre_hook(see)
    try:
        yield found
    finally:
        handle.remove()
    _write(training, ".sha", found.hexdigest())


@contextmanager
def _traced(training: Any) -> Iterator[None]:
    codes: dict[CodeType, str] = {}
    for target in TARGETS:
        for name in target.functions:
            try:
                code = function_of(target.module, name).__code__
                codes.update(dict.fromkeys(_with_inner(code), f"{target.module}:{name}"))
            except ImportError:
                break
    seen: set[str] = set()

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            seen.add(f"{codes[frame.f_code]}:{frame.f_lineno}")
        return line

    sys.settrace(lambda frame, *_: line if frame.f_code in codes else None)
    try:
        yield
    finally:
        sys.settrace(None)
        _write(training, ".lines", "\n".join(sorted(seen)))


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the comprehensions and functions in it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _with_inner(one)


def _write(training: Any, ending: str, text: str) -> None:
    folder = Path(os.environ[RESULTS])
    run = training.folder.parent
    with (folder / f"{run.name}{ending}").open("a", encoding="utf-8") as stream:
        stream.write(f"{training.split} {os.environ['RANK']}\n{text}\n")


def _make(variant: str) -> Loop:
    base, _, mutant = variant.partition(":")
    return MutatedLoop(base, mutant)


SPEC = LoopSpec(
    name="mutated",
    help="a stack of accumcheck's under a mutant, for benchmarks/mutants.py",
    preload=("transformers.trainer",),
    make=_make,
)
