"""``stack: planted:NAME``: a real Trainer with one planted fault, for ``accumcheck selftest`` and benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.stacks.protocol import UNUSED_BY_TRAINER, LoopSpec

if TYPE_CHECKING:
    from accumcheck.stacks.protocol import Loop


def _make(fault: str) -> Loop:
    from accumcheck.stacks.faulty.trainer import PlantedLoop

    return PlantedLoop(fault)


SPEC = LoopSpec(
    name="planted",
    help="the installed transformers.Trainer with one fault planted, for accumcheck selftest",
    preload=("transformers.trainer",),
    unused=UNUSED_BY_TRAINER,
    make=_make,
)
