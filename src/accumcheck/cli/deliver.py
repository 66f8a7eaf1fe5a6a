"""The end of a command that has a verdict: its files, its report on standard output, its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer

from accumcheck.cli.codes import without_pass
from accumcheck.errors import AccumcheckError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def deliver(
    exit_code: int, show: Callable[[], None], files: Iterable[Path] | None, write: Callable[[Path], None]
) -> NoReturn:
    """Write every file, print the report, and exit. A file that cannot be written does not stop the rest.

    Args:
        exit_code: of the verdict.
        show: prints the report on standard output.
        files: requested with ``--output``.
        write: writes one of them; raises `AccumcheckError` if it cannot be written, for example on a full disk.

    Raises:
        typer.Exit: always; with 3 if a file is missing, unless the verdict's code is not 0.
    """
    for path in files or ():
        try:
            write(path)
        except AccumcheckError as error:
            typer.echo(f"accumcheck: {error}", err=True)
            exit_code = without_pass(exit_code)
    show()
    raise typer.Exit(exit_code)
