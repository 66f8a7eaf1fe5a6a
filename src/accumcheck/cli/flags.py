"""Options without a value."""

from __future__ import annotations

from typing import Any

import typer


def flag(*names: str, help: str, envvar: str | None = None) -> Any:
    """An option that is given or not. Without its own metavar, typer would show it as if it took a ``<bool>``."""
    return typer.Option(*names, help=help, envvar=envvar, metavar="")
