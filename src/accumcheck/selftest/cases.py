"""What selftest runs, and what must come out."""

from __future__ import annotations

from accumcheck.selftest.of_nothing import OF_NOTHING
from accumcheck.selftest.of_program import OF_PROGRAM
from accumcheck.selftest.of_trainer import OF_TRAINER

FAULTY = (*OF_TRAINER, *OF_PROGRAM)
"""Each must be caught, named as it says, and the accused must be the guilty."""

CLEAN = OF_NOTHING
"""Each must pass without a finding."""
