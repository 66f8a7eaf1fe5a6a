"""The cases of the self-test."""

from __future__ import annotations

from accumcheck.selftest.of_nothing import OF_NOTHING
from accumcheck.selftest.of_program import OF_PROGRAM
from accumcheck.selftest.of_trainer import OF_TRAINER

FAULTY = (*OF_TRAINER, *OF_PROGRAM)
"""Cases with a fault. Each must be caught and named, and exactly the accused splits must be found wrong."""

CLEAN = OF_NOTHING
"""Cases without a fault. Each must pass without a finding."""
