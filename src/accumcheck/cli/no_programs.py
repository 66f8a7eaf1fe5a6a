"""``--no-programs``, an option of every command that runs or reads configurations."""

from typing import Annotated

import typer

NoPrograms = Annotated[
    bool,
    typer.Option(
        "--no-programs",
        envvar="ACCUMCHECK_NO_PROGRAMS",
        help="Refuse a configuration that runs its author's code: a script, a callable, trust_remote_code.",
    ),
]
