"""``stack: mutated:BASE:MUTANT``, only in processes of `mutants.py`: one of accumcheck's stacks under a mutant.

MUTANT is an id, ``none`` or ``trace``, which records the executed lines of the targets. TRL's script is
``stack: mutated-sft:RUN:MUTANT``, where RUN is the number of the check in its launch.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from accumcheck.stacks import trl_sft
from accumcheck.stacks.protocol import Loop, LoopSpec
from accumcheck.stacks.registry import find_stack
from accumcheck.stacks.trainer import TrainerLoop
from mutation.mutants import apply, function_of
from mutation.targets import TARGETS

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Split
    from accumcheck.stacks.programs.handover import Handover

RESULTS = "MUTATION_RESULTS"
"""The environment variable with the folder to which workers write."""


class _MeanLoop(TrainerLoop):
    """A model that gets no token count: Trainer divides its mean loss by the accumulation steps."""

    def trainer(self, training: Any, **arguments: Any) -> Any:
        made = super().trainer(training, **arguments)
        made.model_accepts_loss_kwargs = False
        return made


class MutatedLoop:
    """A loop that trains with mutated code. The gradients that its optimizer gets are hashed."""

    def __init__(self, base: str, mutant: str) -> None:
        spec = find_stack("trainer" if base == "mean" else base)
        assert isinstance(spec, LoopSpec)
        self._loop: Any = _MeanLoop() if base == "mean" else spec.make("")
        self._mutant = mutant

    def train(self, training: Any, observer: Any) -> None:
        """See `Loop.train`."""
        run = training.folder.parent.name
        with _under(self._mutant, run, training.split), _hashed(run, training.split):
            self._loop.train(training, observer)

    def train_freely(self, training: Any) -> Any:
        """See `Loop.train_freely`. The code is already mutated."""
        return self._loop.train_freely(training)


def _start_sft(check: CheckConfig, handover: Handover) -> None:
    """TRL's script under a mutant in every job, including that of the reference, as with a wrong TRL."""
    _, run, mutant = check.stack.split(":", 2)
    with _under(mutant, run, handover.split), _hashed(run, handover.split):
        trl_sft.SPEC.start(check, handover)


@contextmanager
def _under(mutant: str, run: str, split: Split) -> Iterator[None]:
    if mutant == "trace":
        with _traced(run, split):
            yield
        return
    if mutant != "none":
        apply(mutant)
    yield


@contextmanager
def _hashed(run: str, split: Split) -> Iterator[Any]:
    """Hash every gradient that an optimizer gets and the weights that it is applied to, to the bit."""
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
        _write(run, split, ".sha", found.hexdigest())


@contextmanager
def _traced(run: str, split: Split) -> Iterator[None]:
    codes: dict[CodeType, str] = {}
    for target in TARGETS:
        for name in target.functions if target.module in sys.modules else ():  # preloaded, or not run here
            code = function_of(target.module, name).__code__
            codes.update(dict.fromkeys(_with_inner(code), f"{target.module}:{name}"))
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
        _write(run, split, ".lines", "\n".join(sorted(seen)))


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the comprehensions and functions in it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _with_inner(one)


def _write(run: str, split: Split, ending: str, text: str) -> None:
    folder = Path(os.environ[RESULTS])
    with (folder / f"{run}{ending}").open("a", encoding="utf-8") as stream:
        stream.write(f"{split} {os.environ.get('RANK', '0')}\n{text}\n")


def _make(variant: str) -> Loop:
    base, _, mutant = variant.partition(":")
    return MutatedLoop(base, mutant)


SPEC = LoopSpec(
    name="mutated",
    help="one of accumcheck's stacks under a mutant, for benchmarks/mutants.py",
    preload=("transformers.trainer",),
    make=_make,
)
SFT = replace(trl_sft.SPEC, name="mutated-sft", start=_start_sft)
