"""Hot-fixes: small pieces of code that cure a stack, or seem to. What is printed to be pasted is what is applied.

Each is a function that takes a Trainer, in a module of its own that stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from accumcheck.errors import ConfigError


@dataclass(frozen=True, slots=True)
class HotFix:
    """One hot-fix.

    ``does`` and ``price``: what it does, and what it costs, in one sentence each; ``releases``: of transformers, as far
    as it has been tried; ``source``: who published it, empty where it is accumcheck's own.
    """

    name: str
    does: str
    price: str
    releases: str
    source: str = ""

    @property
    def function(self) -> str:
        """The function that takes a Trainer; its module has the same name."""
        return self.name.replace("-", "_")

    @property
    def code(self) -> str:
        """The source, as it is applied."""
        return files("accumcheck.hotfixes").joinpath(f"{self.function}.py").read_text(encoding="utf-8")

    @property
    def to_paste(self) -> str:
        """The source with a head that says what it is, and a foot that says where to call it: a Python program."""
        facts = [f"accumcheck hotfix {self.name}", self.does, f"Price: {self.price}", f"Tried with {self.releases}."]
        if self.source:
            facts.append(f"As in {self.source}")
        head = "".join(f"# {fact}\n" for fact in facts)
        return f"{head}\n{self.code}\n\n# then, in your script, before trainer.train():\n# {self.function}(trainer)\n"


HOTFIXES = (
    HotFix(
        "no-loss-kwargs",
        does="Trainer passes the model no token count, and divides each loss by the accumulation steps.",
        price="the mean of the micro-batches' means: tokens in micro-batches with few of them weigh more.",
        releases="transformers 4.48.1 to 5.23.0; before 4.46 it does nothing",
        source="https://github.com/hiyouga/LlamaFactory/issues/7443",
    ),
    HotFix(
        "token-mean",
        does="Every predicted token of the global batch weighs the same, under every split.",
        price="one more gather of a number per optimizer step; a training_step of your own is not called.",
        releases="transformers 4.45.2 to 5.23.0",
    ),
)

NAMES = tuple(one.name for one in HOTFIXES)


def find_hotfix(name: str) -> HotFix:
    """The hot-fix of that name.

    Raises:
        ConfigError: there is none.
    """
    for one in HOTFIXES:
        if one.name == name:
            return one
    raise ConfigError(f"no hot-fix is called {name}; there are {' and '.join(NAMES)} (accumcheck hotfix list)")
