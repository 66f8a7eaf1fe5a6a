"""``accumcheck hotfix``: small pieces of code that fix a stack, to read and to paste."""

from __future__ import annotations

from typing import Annotated

import typer

hotfix_app = typer.Typer(
    name="hotfix",
    help="Show hot-fixes: a few lines of code that fix a training script until a release does.",
    no_args_is_help=True,
)


@hotfix_app.command("list")
def list_() -> None:
    """List the hot-fixes: what each does, and its cost."""
    from accumcheck.hotfixes import HOTFIXES

    for one in HOTFIXES:
        typer.echo(f"{one.name}\n  {one.does}\n  cost: {one.price}\n  tested with {one.releases}\n")
    typer.echo("accumcheck run CONFIG --hotfix NAME shows what one does to your check;")
    typer.echo("accumcheck hotfix show NAME prints it.")


@hotfix_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The hot-fix. accumcheck hotfix list shows their names.")],
) -> None:
    """Print a hot-fix, to paste into a training script: the code that --hotfix applies."""
    from accumcheck.hotfixes import find_hotfix

    typer.echo(find_hotfix(name).to_paste, nl=False)
