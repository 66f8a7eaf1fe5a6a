"""Make a single process look as if ``python train.py`` had started it, although torchrun's agent did.

Programs behave differently if they find torchrun's variables (``ddp = int(os.environ.get("RANK", -1)) != -1``). With
one process the variables are therefore hidden until the program shows that it needs them: it reads one by name
(``os.environ["LOCAL_RANK"]``), makes a process group (with torch, or with ``deepspeed.init_distributed``), or asks for
sharding, which needs a group in every release. From then on all variables are set, as under torchrun.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from accumcheck.capture.patches import Patches, Seam
from accumcheck.runfolder.crash import give_hint, innermost

if TYPE_CHECKING:
    _Base = os._Environ[str]
else:
    _Base = os._Environ

OF_GROUP = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""The variables that torch needs to make a process group (``env://`` of ``torch.distributed.rendezvous``)."""
_OF_TORCHRUN = (*OF_GROUP, "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE")
_BEGINNINGS = ("ROLE_", "TORCHELASTIC_")
"""Source: ``torch.distributed.elastic.agent.server.local_elastic_agent``, which sets them for each worker."""
_AGENTS_STORE = "TORCHELASTIC_USE_AGENT_STORE"
_OF_MISSING = ("NoneType", "process group")
_HINT = (
    "with one process RANK and similar variables are not set, as under plain python; if the program needs them from "
    "the start, write launcher: {single_process: torchrun}"
)
_MAKES_A_GROUP = ("deepspeed.comm.comm",)
"""Modules that make a process group, but test for the variables first. If DeepSpeed finds none, it looks for MPI."""
_SHARDING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


class PlainPython:
    """Hides torchrun's variables from a program until it needs them.

    Attributes:
        probed: whether the program has looked for a variable and did not find it.
    """

    def __init__(self) -> None:
        self.probed = False
        self._kept: dict[str, str] = {}

    @property
    def is_plain(self) -> bool:
        """Whether the variables are still hidden."""
        return bool(self._kept)

    def begin(self, patches: Patches) -> None:
        """Hide the variables until the program needs them, at most until the patches are undone.

        Args:
            patches: undo this; they must allow `Seam.RENDEZVOUS`.
        """
        import torch.distributed.distributed_c10d as c10d

        self._kept = {name: value for name, value in os.environ.items() if is_torchruns(name)}
        for name in self._kept:
            del os.environ[name]
        before = type(os.environ)
        os.environ.__class__ = _environment_of(self)

        def restore() -> None:
            os.environ.__class__ = before
            self.give()

        patches.at_end(restore)
        patches.wrap(Seam.RENDEZVOUS, c10d, self._giving)
        if any(os.environ.get(name, "").lower() == "true" for name in _SHARDING):
            self.give()

    def made(self, arguments: Any) -> None:
        """Set the variables if these ``TrainingArguments``, which the program has made, shard the model."""
        if getattr(arguments, "fsdp", None) or getattr(arguments, "deepspeed", None):
            self.give()

    def is_hidden(self, name: str) -> bool:
        """Whether a variable is hidden now."""
        return name in self._kept

    def explain(self, error: Exception) -> None:
        """If an error of the program may be caused by hidden variables, add a hint how to get them."""
        if self.is_plain and self.probed and any(word in str(innermost(error)) for word in _OF_MISSING):
            give_hint(error, _HINT)

    def give(self) -> None:
        """Set the variables, except those that the program has set itself."""
        kept, self._kept = self._kept, {}
        own = {name for name in kept if name in os.environ}
        if own & {"MASTER_ADDR", "MASTER_PORT"}:  # no other process uses the agent's store then
            kept.pop(_AGENTS_STORE, None)
        for name in kept.keys() - own:
            os.environ[name] = kept[name]

    def _giving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def rendezvous(url: str, *args: Any, **kwargs: Any) -> Any:
            if str(url).startswith("env:") and any(name not in os.environ for name in OF_GROUP):
                self.give()
            return original(url, *args, **kwargs)

        return rendezvous


def is_torchruns(name: str) -> bool:
    """Whether torchrun sets this environment variable for each of its workers."""
    return name in _OF_TORCHRUN or name.startswith(_BEGINNINGS)


def _environment_of(plain: PlainPython) -> type[os._Environ[str]]:
    """The class of an ``os.environ`` that sets torchrun's variables when one of them is read by its name."""

    class Environment(_Base):
        def __getitem__(self, name: str) -> str:
            if plain.is_hidden(name):
                plain.give()
            return super().__getitem__(name)

        def __contains__(self, name: object) -> bool:
            if plain.is_hidden(str(name)) and sys._getframe(1).f_globals.get("__name__") in _MAKES_A_GROUP:
                plain.give()
            plain.probed |= plain.is_hidden(str(name))
            try:
                super().__getitem__(name)  # type: ignore[index]
            except KeyError:
                return False
            return True

        def get(self, name: str, default: Any = None) -> Any:
            return self[name] if name in self else default  # noqa: SIM401 - this line implements get

        def pop(self, name: str, *default: Any) -> Any:
            return default[0] if default and name not in self else super().pop(name)

        def setdefault(self, name: str, value: str) -> str:
            if plain.is_hidden(name):
                plain.give()
            return super().setdefault(name, value)

        def __setitem__(self, name: str, value: str) -> None:
            super().__setitem__(name, value)
            if name in _SHARDING and str(value).lower() == "true":
                plain.give()

    return Environment
