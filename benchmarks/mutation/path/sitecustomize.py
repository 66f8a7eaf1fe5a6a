"""Runs first in every process that `mutants.py` starts. Allows a configuration to name the stack of mutants."""

from mutation.stack import SFT, SPEC

from accumcheck.stacks.registry import admit

admit(SPEC)
admit(SFT)
