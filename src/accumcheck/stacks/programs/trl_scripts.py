"""TRL's training scripts, one of which each stack of TRL is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from accumcheck.declare.keys import Expected, Required, Section
from accumcheck.declare.texts import Words
from accumcheck.errors import MissingPackageError
from accumcheck.stacks.programs.start import is_installed, require_package, run_module
from accumcheck.stacks.protocol import OwnKey, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.programs.handover import Handover


@dataclass(frozen=True, slots=True)
class TrlConfig(Section):
    """The command line of the script that the stack is."""

    arguments: Annotated[
        Words,
        Expected("a list of words, for example [--config, sft.yaml]", "a word"),
        Required("arguments: [--config, sft.yaml]"),
    ]
    """Command line of the stack's script, trl.scripts.sft for example; batch size, accumulation and steps are set by
    accumcheck."""


TRL = OwnKey(
    "trl",
    TrlConfig | None,
    "With stack: trl-sft, trl-dpo or trl-reward, what to train.",
    "trl: {arguments: [--config, sft.yaml]}",
)


def trl_spec(name: str, *, modules: tuple[str, ...], preload: str, releases: str = "") -> ProgramSpec:
    """A stack that is one of TRL's scripts.

    Args:
        name: as ``stack:`` takes it.
        modules: where TRL has the script, the place in today's releases first.
        preload: the module of the trainer that it makes.
        releases: which releases have no such script, for the error in one of them.
    """

    def start(check: CheckConfig, handover: Handover) -> None:
        require_package("trl", name)
        found = next(filter(is_installed, modules), None)
        if found is None:
            from importlib.metadata import version

            raise MissingPackageError(
                f"stack: {name} runs {modules[0]}, which trl {version('trl')} does not have{releases}; name another "
                "release with --with trl==VERSION, or write stack: script with a script of your own that makes the "
                "trainer"
            )
        run_module(found, handover.fill(check.own(TrlConfig).arguments))

    return ProgramSpec(
        name=name,
        help=modules[0],
        package="trl",
        modules=modules,
        preload=("datasets", preload),
        own=(TRL,),
        start=start,
        title=lambda _: modules[0],
    )
