"""Runs first in every process that `mutants.py` starts: lets a configuration name the stack of mutants."""

from mutation.stack import SFT, SPEC

from accumcheck.stacks.registry import admit

admit(SPEC)
admit(SFT)
