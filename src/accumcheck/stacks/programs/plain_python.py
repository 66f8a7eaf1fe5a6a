"""One process alone, started as ``python train.py`` would start it, though torchrun's agent has.

Programs test the environment for torchrun's variables and go another way where they find them
(``ddp = int(os.environ.get("RANK", -1)) != -1``). With one process they are looked for in vain, until the program shows
that it cannot do without: it reads one by name (``os.environ["LOCAL_RANK"]``), makes a process group (with torch, or
with ``deepspeed.init_distributed``), or asks for shards, which no release makes without a group. From then on it has
them all, as under torchrun.
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
"""What torch needs to make a process group by the environment (``torch.distributed.rendezvous``)."""
_OF_TORCHRUN = (*OF_GROUP, "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE")
_BEGINNINGS = ("ROLE_", "TORCHELASTIC_")
"""See ``torch.distributed.elastic.agent.server.local_elastic_agent``, which sets them for each worker."""
_AGENTS_STORE = "TORCHELASTIC_USE_AGENT_STORE"
_OF_MISSING = ("NoneType", "process group")
_HINT = (
    "with one process a program finds no RANK and its like, as under plain python; if it needs them from the start, "
    "write launcher: {single_process: torchrun}"
)
_MAKES_A_GROUP = ("deepspeed.comm.comm",)
"""Modules that make a process group, and look for the variables first: without them DeepSpeed looks for MPI."""
_SHARDING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


class PlainPython:
    """Torchrun's variables, kept from a program until it needs them.

    Attributes:
        probed: whether the program has looked for one and found none.
    """

    def __init__(self) -> None:
        self.probed = False
        self._kept: dict[str, str] = {}

    @property
    def is_plain(self) -> bool:
        """Whether they are still kept back."""
        return bool(self._kept)

    def begin(self, patches: Patches) -> None:
        """Keep them back from here on, or until everything is undone.

        Args:
            patches: undoes it; must allow `Seam.RENDEZVOUS`.
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
        """The program has made ``TrainingArguments``: those that shard need a process group."""
        if getattr(arguments, "fsdp", None) or getattr(arguments, "deepspeed", None):
            self.give()

    def keeps(self, name: str) -> bool:
        """Whether a variable is kept back now."""
        return name in self._kept

    def explain(self, error: Exception) -> None:
        """Say with an error of the program's, where it may come of variables that it did not find, how to have them."""
        if self.is_plain and self.probed and any(word in str(innermost(error)) for word in _OF_MISSING):
            give_hint(error, _HINT)

    def give(self) -> None:
        """Let the program have them, but for those that it has set itself."""
        kept, self._kept = self._kept, {}
        own = {name for name in kept if name in os.environ}
        if own & {"MASTER_ADDR", "MASTER_PORT"}:  # it meets nobody at the agent's store
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
    """Whether a variable of the environment is one that torchrun sets for each of its workers."""
    return name in _OF_TORCHRUN or name.startswith(_BEGINNINGS)


def _environment_of(plain: PlainPython) -> type[os._Environ[str]]:
    """The class of an ``os.environ`` in which torchrun's variables are found by who asks for one by its name."""

    class Environment(_Base):
        def __getitem__(self, name: str) -> str:
            if plain.keeps(name):
                plain.give()
            return super().__getitem__(name)

        def __contains__(self, name: object) -> bool:
            if plain.keeps(str(name)) and sys._getframe(1).f_globals.get("__name__") in _MAKES_A_GROUP:
                plain.give()
            plain.probed |= plain.keeps(str(name))
            try:
                super().__getitem__(name)  # type: ignore[index]
            except KeyError:
                return False
            return True

        def get(self, name: str, default: Any = None) -> Any:
            return self[name] if name in self else default  # noqa: SIM401 - this is what it is

        def pop(self, name: str, *default: Any) -> Any:
            return default[0] if default and name not in self else super().pop(name)

        def setdefault(self, name: str, value: str) -> str:
            if plain.keeps(name):
                plain.give()
            return super().setdefault(name, value)

        def __setitem__(self, name: str, value: str) -> None:
            super().__setitem__(name, value)
            if name in _SHARDING and str(value).lower() == "true":
                plain.give()

    return Environment
