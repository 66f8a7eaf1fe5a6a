"""The command line: one file per command. Parse, call, print, exit; no logic."""

from accumcheck.cli.program import main

__all__ = ["main"]
