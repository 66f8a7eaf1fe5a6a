"""The group of all commands. It keeps typer from choosing exit codes."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from accumcheck.cli.codes import USAGE


class Commands(TyperGroup):
    """Keeps typer's own exit codes out of the program's, where 1 is a divergence and 0 a pass."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments. What typer cannot do there, such as detecting the shell, is a usage error."""
        try:
            return super().make_context(*args, **kwargs)
        except typer.Exit as ended:
            raise typer.Exit(USAGE if ended.exit_code else 0) from ended

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        Raises:
            RuntimeError: the command ended in a way that typer would turn into an exit code (1, 0 or 130).
        """
        try:
            return super().invoke(ctx)
        except (SystemExit, EOFError, BrokenPipeError) as error:
            raise RuntimeError(f"a command ended with {type(error).__name__}: {error}") from error
