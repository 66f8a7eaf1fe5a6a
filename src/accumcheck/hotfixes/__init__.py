"""Hot-fixes: small pieces of code that fix a stack, or seem to. The code printed for pasting is the code applied.

Each is a function that takes a Trainer, in a separate module without other dependencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from accumcheck.errors import ConfigError


@dataclass(frozen=True, slots=True)
class HotFix:
    """One hot-fix.

    ``does`` and ``price``: what it does, and its cost, in one sentence each; ``releases``: the tested releases of
    transformers; ``source``: who published it, empty if it is accumcheck's own.
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
        """The source code that is applied."""
        return files("accumcheck.hotfixes").joinpath(f"{self.function}.py").read_text(encoding="utf-8")

    @property
    def to_paste(self) -> str:
        """The source between comments about what it is and where to call it: a Python program."""
        facts = [f"accumcheck hotfix {self.name}", self.does, f"Cost: {self.price}", f"Tested with {self.releases}."]
        if self.source:
            facts.append(f"As in {self.source}")
        head = "".join(f"# {fact}\n" for fact in facts)
        return f"{head}\n{self.code}\n\n# then, in your script, before trainer.train():\n# {self.function}(trainer)\n"


HOTFIXES = (
    HotFix(
        "no-loss-kwargs",
        does="Trainer does not pass the model a token count, and divides each loss by the accumulation steps.",
        price="a mean of the micro-batches' means: tokens in micro-batches with few tokens get a larger weight.",
        releases="transformers 4.48.1 to 5.23.0; before 4.46 it does nothing",
        source="https://github.com/hiyouga/LlamaFactory/issues/7443",
    ),
    HotFix(
        "token-mean",
        does="Every predicted token of the global batch has the same weight, under every split.",
        price="one more gather of a number per optimizer step; your own training_step is not called.",
        releases="transformers 4.45.2 to 5.23.0",
    ),
)

NAMES = tuple(one.name for one in HOTFIXES)


def find_hotfix(name: str) -> HotFix:
    """The hot-fix of that name.

    Raises:
        ConfigError: it does not exist.
    """
    for one in HOTFIXES:
        if one.name == name:
            return one
    raise ConfigError(f"there is no hot-fix {name}; there are {' and '.join(NAMES)} (accumcheck hotfix list)")
