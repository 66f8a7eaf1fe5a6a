"""``accumcheck hotfix``: the small pieces of code that cure a stack, to look at and to paste."""

from __future__ import annotations

from typing import Annotated

import typer

hotfix_app = typer.Typer(
    name="hotfix",
    help="Small pieces of code that cure a training script until the next release does.",
    no_args_is_help=True,
)


@hotfix_app.command("list")
def list_() -> None:
    """List the hot-fixes: what each does, and what it costs."""
    from accumcheck.hotfixes import HOTFIXES

    for one in HOTFIXES:
        typer.echo(f"{one.name}\n  {one.does}\n  price: {one.price}\n  tried with {one.releases}\n")
    typer.echo("accumcheck run CONFIG --hotfix NAME shows what one does to your check;")
    typer.echo("accumcheck hotfix show NAME prints it.")


@hotfix_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, as accumcheck hotfix list has it.")],
) -> None:
    """Print the code to paste into a training script: the same that --hotfix applies."""
    from accumcheck.hotfixes import find_hotfix

    typer.echo(find_hotfix(name).to_paste, nl=False)
