"""``accumcheck environments``: the isolated environments that runs keep for later runs."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from accumcheck.environments.entries import Entry

FORMATS = ("table", "json")
OLDER_THAN_HELP = "Remove environments that no run has used for this many days."

environments_app = typer.Typer(
    no_args_is_help=True, help="List or remove the isolated environments that --transformers and --with built."
)


@environments_app.callback()
def environments() -> None:
    """List or remove the isolated environments that --transformers and --with built."""


@environments_app.command("list")
def list_(
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="What goes to standard output: table or json.")
    ] = "table",
) -> None:
    """List the environments, the last used first."""
    from accumcheck.environments.shelf import Shelf
    from accumcheck.environments.show import as_table
    from accumcheck.report.streams import console_for

    if format_ not in FORMATS:
        raise ConfigError(f"--format {format_}: no such format; use {' or '.join(FORMATS)}")
    shelf = Shelf()
    entries = shelf.entries()
    if format_ == "json":
        typer.echo(json.dumps([_as_dict(entry) for entry in entries], indent=2))
        return
    console = console_for(sys.stdout)
    for text in as_table(entries, shelf.folder, time.time()):
        console.print(text, soft_wrap=True)


@environments_app.command("prune")
def prune(
    older_than: Annotated[float, typer.Option("--older-than", metavar="DAYS", min=0, help=OLDER_THAN_HELP)] = 30,
    all_: Annotated[bool, typer.Option("--all", help="Remove all environments that are not in use.")] = False,
) -> None:
    """Remove environments that were not used lately, and what killed builds left.

    Environments in use are kept.

    Exit codes: 0 all removed; 3 one of them is in use and was kept.
    """
    from accumcheck.environments.shelf import Shelf
    from accumcheck.environments.show import megabytes, readable

    removed, kept = Shelf().prune(older_than, everything=all_)
    for entry in removed:
        typer.echo(f"removed {readable(entry.path.name)}")
    for entry in kept:
        typer.echo(f"kept {readable(entry.path.name)}: a run is using it", err=True)
    typer.echo(f"{len(removed)} removed, {megabytes(sum(entry.size for entry in removed))} freed")
    if kept:
        raise typer.Exit(3)


def _as_dict(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.path.name,
        "path": str(entry.path),
        "complete": entry.complete,
        "broken": entry.broken,
        "in_use": entry.in_use,
        "last_used": _moment(entry.last_used),
        "size": entry.size,
        "releases": dict(entry.releases),
        "packages": dict(entry.packages),
        "base": entry.base,
    }


def _moment(seconds: float) -> str | None:
    """Seconds since the epoch as a date and time; None if they are outside the calendar."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
    except (OSError, OverflowError, ValueError):
        return None
