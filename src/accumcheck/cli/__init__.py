"""The command line: one file per command. Parse, call, print, exit; no logic."""

from accumcheck.cli.app import main

__all__ = ["main"]
