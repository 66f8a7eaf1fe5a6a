"""TRL's training scripts, one of which each stack of TRL is."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from accumcheck.errors import WorkloadError
from accumcheck.stacks.programs.start import is_installed, require_package, run_module
from accumcheck.stacks.protocol import Key, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.programs.handover import Handover

TRL = Key(
    name="trl",
    holds="section",
    help="With stack: trl-sft, trl-dpo or trl-reward, what to train.",
    example="trl: {arguments: [--config, sft.yaml]}",
    required=True,
    keys=(
        Key(
            name="arguments",
            holds="words",
            help="Command line of trl.scripts.sft, dpo or reward, whichever the stack is; batch size, accumulation and "
            "steps are set by accumcheck.",
            example="arguments: [--config, sft.yaml]",
            required=True,
        ),
    ),
)
"""The section that names what a stack of TRL trains."""


def trl_spec(name: str, *, modules: tuple[str, ...], preload: str, releases: str = "") -> ProgramSpec:
    """A stack that is one of TRL's scripts.

    Args:
        name: as ``stack:`` takes it.
        modules: where TRL has the script, the place in today's releases first.
        preload: the module of the trainer that it makes.
        releases: which releases have no such script, for the error in one of them.
    """

    def start(check: CheckConfig, handover: Handover) -> None:  # noqa: ARG001
        require_package("trl", name)
        found = next(filter(is_installed, modules), None)
        if found is None:
            raise WorkloadError(
                f"stack: {name} runs {modules[0]}, which trl {version('trl')} does not have{releases}; name another "
                "release with --with trl==VERSION, or write stack: script with a script of your own that makes the "
                "trainer"
            )
        assert check.trl is not None
        run_module(found, check.trl.arguments)

    return ProgramSpec(
        name=name,
        help=modules[0],
        package="trl",
        modules=modules,
        preload=("datasets", preload),
        keys=(TRL,),
        start=start,
        title=lambda _: modules[0],
    )
