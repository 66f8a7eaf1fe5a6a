"""Options without a value, which typer shows as if they took a ``<bool>``."""

from __future__ import annotations

from typing import Any

import typer

HELP_NAMES = ("-h", "--help")


def show_flags_without_type(command: Any) -> None:
    """Change the help of a command, and of all commands in it, in place: an option without a value shows none.

    Args:
        command: what typer makes of an app.
    """
    context = typer.Context(command, help_option_names=list(HELP_NAMES))
    for option in (*command.params, command.get_help_option(context)):
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    for one in getattr(command, "commands", {}).values():
        show_flags_without_type(one)
