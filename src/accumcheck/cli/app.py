"""The commands of the program, and the one place where a user's error becomes a message and an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import typer

from accumcheck import __version__
from accumcheck.cli.bisect import bisect
from accumcheck.cli.codes import INTERRUPTED, USAGE
from accumcheck.cli.commands import Commands
from accumcheck.cli.compare import compare
from accumcheck.cli.env import env
from accumcheck.cli.environments import environments_app
from accumcheck.cli.flags import HELP_NAMES, show_flags_without_type
from accumcheck.cli.hotfix import hotfix_app
from accumcheck.cli.init import init
from accumcheck.cli.launch import launch_app
from accumcheck.cli.reproduce import reproduce
from accumcheck.cli.run import run
from accumcheck.cli.schema import schema_app
from accumcheck.cli.selftest import selftest
from accumcheck.cli.show import show
from accumcheck.cli.survey import survey
from accumcheck.cli.upgrade import upgrade
from accumcheck.cli.validate import validate
from accumcheck.cli.watch import watch
from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.redaction import redacted_text

app = typer.Typer(
    name="accumcheck",
    cls=Commands,
    help="Does every split of a global batch (processes x per-device batch x accumulation steps) give the same loss "
    "and the same gradient? Trains a few real steps under each split and compares them with each other and with an "
    "independent reference.",
    epilog="To begin: accumcheck init, then accumcheck run check.yaml.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": list(HELP_NAMES)},
)
app.command()(run)
app.command()(watch)
app.command()(validate)
app.command()(upgrade)
app.command()(bisect)
app.command()(compare)
app.command()(survey)
app.command()(show)
app.command()(reproduce)
app.command()(selftest)
app.command()(init)
app.command()(env)
app.add_typer(environments_app, name="environments")
app.add_typer(hotfix_app, name="hotfix")
app.add_typer(launch_app, name="launch")
app.add_typer(schema_app, name="schema")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"accumcheck {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options of the program itself."""


@cache
def _command() -> Any:
    """What typer makes of the commands. It is kept: reading their signatures takes longer than many a command."""
    command = typer.main.get_command(app)
    show_flags_without_type(command)
    return command


def execute(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit code; a user's error is a message, no traceback.

    Raises:
        KeyboardInterrupt: the run was interrupted; every process has been ended.
        Exception: a bug in accumcheck.
    """
    try:
        code = _command()(args=argv, prog_name=app.info.name, standalone_mode=False)
    except ConfigError as error:  # each line of it begins with its own place
        typer.echo(error, err=True)
        return error.exit_code
    except AccumcheckError as error:
        typer.echo(f"accumcheck: {error}", err=True)
        return error.exit_code
    except typer.Abort:  # how older releases of click report Ctrl-C
        raise KeyboardInterrupt from None
    except SystemExit as ended:  # typer has answered the shell's request for completions
        return USAGE if ended.code else 0
    except Exception as error:
        tell, exit_code = getattr(error, "show", None), getattr(error, "exit_code", None)
        if not callable(tell) or not isinstance(exit_code, int):
            raise
        # before it is wrapped into the lines of a box
        error.message = redacted_text(str(getattr(error, "message", "")))  # type: ignore[attr-defined]
        tell()  # a usage error of click, which typer either imports or bundles
        return exit_code
    if code == INTERRUPTED:  # typer turns Ctrl-C into an exit code and prints nothing
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0
