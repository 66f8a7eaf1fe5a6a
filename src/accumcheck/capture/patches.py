"""Everything that accumcheck replaces in installed code; all of it is undone at the end of a job.

Most observations use hooks that torch and transformers offer. Where there is no hook, a function is
replaced by one that calls it. Every such place is a `Seam`: a stack says which seams it needs, and no other can be
replaced in its jobs, so the table in docs/stacks.md is complete.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from types import TracebackType
from typing import Any


class Seam(Enum):
    """A place in installed code that can be replaced; its value is where it is, as Python names it."""

    TRAINING_ARGUMENTS = "transformers.TrainingArguments.__post_init__"
    """Sets the split's numbers and keeps the weights fixed, before a program reads its arguments."""
    TRAINER = "transformers.Trainer.__init__"
    """Finds the Trainer that a program makes, and adds a callback that reads its log."""
    TRAINING_STEP = "transformers.Trainer.training_step"
    """Sees each micro-batch; replaced on the one Trainer that was found."""
    TRAIN = "transformers.Trainer.train"
    """Sets the hot-fix's values again if a class derived from Trainer changed them."""
    OPTIMIZER = "torch.optim.Optimizer.__init__"
    """Finds the model of a training loop by the parameters that its optimizer is given."""
    DATA_LOADER = "torch.utils.data.DataLoader.__init__"
    """Gives each row its own random numbers if a collator draws them."""
    SCHEDULE = "torch.optim.lr_scheduler.LRScheduler.__init__"
    """Finds the learning-rate schedules that a program makes, and the lines that make them."""
    BATCHES = "torch.utils.data.DataLoader.__iter__"
    """Sees which batch a loop holds while it draws random numbers for its rows."""
    YAML = "yaml.load"
    """Puts the split's numbers into a YAML file that a program reads."""
    CLIPPING = "torch.nn.utils.clip_grad_norm_"
    """Reads the gradient before clipping, and the clipping factor; in every module that imported the function."""
    CLIPPING_VALUES = "torch.nn.utils.clip_grad_value_"
    """The same, for clipping by value."""
    CLIPPING_TO_A_NORM = "torch.nn.utils.clip_grads_with_norm_"
    """The same, for clipping with a norm that was computed before."""
    GRAD_SCALER = "torch.amp.GradScaler.scale"
    """Reads the scale of losses in float16."""
    GROUP = "torch.distributed.destroy_process_group"
    """Keeps the process group until the reference is computed, which may need it; only in the reference's process."""
    INIT_GROUP = "torch.distributed.init_process_group"
    """Makes a program's process group over gloo; only where its processes share GPUs (``launcher.oversubscribe``)."""
    RENDEZVOUS = "torch.distributed.distributed_c10d.rendezvous"
    """Gives a single-process program torchrun's variables when it makes a process group."""
    ENGINE_CONFIG = "deepspeed.runtime.config.DeepSpeedConfig._initialize_params"
    """Makes engines at stage 0, which do not partition the model; only in the reference's process."""
    ENGINE_STEP = "deepspeed.DeepSpeedEngine.step"
    """Reads the gradient before DeepSpeed applies it; replaced on the one engine that trains the model."""

    @property
    def attribute(self) -> str:
        """Its name on its class, module or object."""
        return self.value.rpartition(".")[2]


_ABSENT = object()


class Patches:
    """What is replaced in this process. A context manager: leaving it undoes everything, in reverse order."""

    def __init__(self, allowed: Collection[Seam]) -> None:
        self._allowed = frozenset(allowed)
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Patches:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.undo()

    def wrap(self, seam: Seam, owner: Any, make: Callable[[Any], Any]) -> None:
        """Replace the function at a seam.

        Args:
            seam: one of the allowed seams.
            owner: the class, module or object on which it is replaced.
            make: takes the present function (for an object: the bound method) and returns the replacement.

        Raises:
            AssertionError: the stack does not list the seam; a bug in accumcheck.
        """
        assert seam in self._allowed, f"{seam.value} is replaced, but the stack does not list it"
        self.assign(owner, seam.attribute, make(getattr(owner, seam.attribute)))

    def substitute(self, replaced: Mapping[Seam, tuple[Any, Any]]) -> None:
        """Replace functions in every module that already has them: ``from ... import`` copies names.

        Args:
            replaced: by allowed seam, a function, under its own name or the seam's, and the new one.
        """
        by_name: dict[str, list[tuple[Any, Any]]] = {}
        for seam, (original, replacement) in replaced.items():
            assert seam in self._allowed, f"{seam.value} is replaced, but the stack does not list it"
            for name in {original.__name__, seam.attribute}:
                by_name.setdefault(name, []).append((original, replacement))
        for module in list(sys.modules.values()):  # thousands: once for all functions
            members = getattr(module, "__dict__", {})
            for name, pairs in by_name.items():
                if (found := members.get(name)) is not None:
                    for original, replacement in pairs:
                        if found is original:
                            self.assign(module, name, replacement)

    def assign(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute of this process's state, such as ``sys.argv``, until the end of the job."""
        before = vars(owner).get(name, _ABSENT)
        setattr(owner, name, value)

        def restore() -> None:
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

        self.at_end(restore)

    def at_end(self, undo: Callable[[], None]) -> None:
        """Register a function to call when everything is undone, for example a hook's ``remove``."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Undo everything, the last replacement first; calling it again does nothing."""
        while self._undo:
            self._undo.pop()()
