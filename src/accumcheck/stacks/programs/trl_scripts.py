"""TRL's training scripts. Each TRL stack runs one of them."""

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
    """The command line of the stack's script."""

    arguments: Annotated[
        Words,
        Expected("a list of words, for example [--config, sft.yaml]", "a word"),
        Required("arguments: [--config, sft.yaml]"),
    ]
    """Command line of the stack's script, for example trl.scripts.sft. accumcheck sets the batch size, the accumulation
    steps and the number of steps."""


TRL = OwnKey(
    "trl",
    TrlConfig | None,
    "With stack: trl-sft, trl-dpo or trl-reward, the command line.",
    "trl: {arguments: [--config, sft.yaml]}",
)


def trl_spec(name: str, *, modules: tuple[str, ...], preload: str, releases: str = "") -> ProgramSpec:
    """The stack of one of TRL's scripts.

    Args:
        name: its name in ``stack:``.
        modules: the modules that TRL has had the script in, the current one first.
        preload: the module of the trainer that the script makes.
        releases: which releases have no such script, for the error message in one of them.
    """

    def start(check: CheckConfig, handover: Handover) -> None:
        require_package("trl", name)
        found = next(filter(is_installed, modules), None)
        if found is None:
            from importlib.metadata import version

            raise MissingPackageError(
                f"stack: {name} runs {modules[0]}, which trl {version('trl')} does not have{releases}; choose another "
                "release with --with trl==VERSION, or write stack: script with your own script that makes the trainer"
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
