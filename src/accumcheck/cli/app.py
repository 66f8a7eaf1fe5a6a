"""The program: its commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from accumcheck import __version__
from accumcheck.cli.bisect import bisect
from accumcheck.cli.compare import compare
from accumcheck.cli.env import env
from accumcheck.cli.environments import environments_app
from accumcheck.cli.hotfix import hotfix_app
from accumcheck.cli.init import init
from accumcheck.cli.run import run
from accumcheck.cli.schema import schema_app
from accumcheck.cli.selftest import selftest
from accumcheck.cli.upgrade import upgrade
from accumcheck.cli.validate import validate
from accumcheck.errors import AccumcheckError, ConfigError

INTERRUPTED = 130
UNDECIDED = 3

app = typer.Typer(
    name="accumcheck",
    help="Does every split of a global batch (processes x per-device batch x accumulation steps) give the same loss "
    "and the same gradient? Runs real training steps of the real stack and compares them with each other and with an "
    "independent reference.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(validate)
app.command()(upgrade)
app.command()(bisect)
app.command()(compare)
app.command()(selftest)
app.command()(init)
app.command()(env)
app.add_typer(environments_app, name="environments")
app.add_typer(hotfix_app, name="hotfix")
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
    """Take the options that belong to no command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; every error that a user can cause is one message, no traceback."""
    # Before numpy is imported: the judge rounds alike on every machine, as workers do under torchrun's own default,
    # and on a busy machine threads of a matrix product do not wait for each other longer than it takes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a CI system's word for Ctrl-C
        code = app(args=argv, standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into an exit code, without a word
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except ConfigError as error:  # each line of it begins with its own place
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    except AccumcheckError as error:
        print(f"accumcheck: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("accumcheck: interrupted; every process was ended", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe went away: nothing to say, and nowhere to say it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        show, exit_code = getattr(error, "show", None), getattr(error, "exit_code", None)
        if not callable(show) or not isinstance(exit_code, int):
            traceback.print_exc()
            print("accumcheck: this is a fault of accumcheck itself; nothing is decided", file=sys.stderr)  # noqa: T201
            return UNDECIDED
        show()  # a usage error of click's, which typer either imports or carries with it
        return exit_code
