"""``accumcheck upgrade``: the gate before another transformers release."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accumcheck.cli.compare import ALLOW_DRIFT_HELP
from accumcheck.cli.run import FORMAT_HELP, OUTPUT_HELP, SET_HELP, tell
from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.environments import Request
    from accumcheck.releases.upgrade import Planned, Side

CONFIGS_HELP = "Configurations (YAML), or folders: every .yaml file in them. Repeatable."
TO_HELP = "The candidate: a transformers release, or latest."
FROM_HELP = "The release in use; without it, the one that is installed here."
WITH_HELP = "Another release for both environments, for example --with accelerate==1.4.0. Repeatable."
ALLOW_SKIPPED_HELP = "A split skipped for want of GPUs does not make exit code 3."
ENDINGS = (".yaml", ".yml")


def upgrade(
    configs: Annotated[list[Path], typer.Argument(metavar="CONFIG...", help=CONFIGS_HELP, show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help=TO_HELP, show_default=False)],
    from_: Annotated[str | None, typer.Option("--from", metavar="VERSION", help=FROM_HELP, show_default=False)] = None,
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="NAME==VERSION", help=WITH_HELP)] = None,
    allow_drift: Annotated[bool, typer.Option("--allow-drift", help=ALLOW_DRIFT_HELP)] = False,
    allow_skipped: Annotated[bool, typer.Option("--allow-skipped", help=ALLOW_SKIPPED_HELP)] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET_HELP)] = None,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")] = False,
) -> None:
    """Run checks under two transformers releases, each isolated, and compare.

    Exit codes: 0 every check passes under the candidate; 1 one fails, or its
    reference drifts; 2 usage or configuration error; 3 one could not be
    decided under both releases, or an environment not be built; 130
    interrupted.
    """
    from accumcheck.releases.upgrade import on_one_machine, run_upgrade
    from accumcheck.report import check_format, check_writable
    from accumcheck.report.pairs import show, write
    from accumcheck.report.progress import Progress

    check_format(format_)
    planned = plans(configs, set_ or [])
    on_one_machine(planned)
    check_writable(output or [])
    old, new = sides(from_, to, with_ or [])
    with Progress(quiet=quiet) as progress:

        def follow(check: CheckConfig, event: dict[str, Any]) -> None:
            tell(progress, check)(event)

        comparison = run_upgrade(
            planned,
            old,
            new,
            allow_drift=allow_drift,
            allow_skipped=allow_skipped,
            say=progress.message,
            on_event=follow,
        )
    for path in output or []:
        write(comparison, path)
    show(comparison, format_, sys.stdout)
    raise typer.Exit(comparison.exit_code)


def plans(paths: Sequence[Path], overrides: Sequence[str]) -> list[Planned]:
    """Read the configurations in files and folders, each once.

    Raises:
        ConfigError: a folder holds none, or some are wrong; the text has every error of every file.
    """
    from accumcheck.config.load import load_config
    from accumcheck.config.places import config_file
    from accumcheck.releases.upgrade import Planned

    found: list[Planned] = []
    errors: list[str] = []
    files: list[Path] = []
    for path in paths:
        inside = sorted(one for one in path.iterdir() if one.suffix in ENDINGS) if path.is_dir() else [path]
        files += inside
        if not inside:
            errors.append(f"{path}: there is no .yaml file in this folder; give configurations, or a folder of them")
    for file in dict.fromkeys(files):
        try:
            found.append(Planned(load_config(file, overrides), config_file(file, overrides)))
        except ConfigError as error:
            errors.append(str(error))
    if errors:
        raise ConfigError("\n".join(errors))
    return found


def sides(old: str | None, new: str, others: Sequence[str]) -> tuple[Side, Side]:
    """Read the two releases.

    Raises:
        ConfigError: they are malformed, or the same.
    """
    from importlib.metadata import PackageNotFoundError, version

    from packaging.version import Version

    from accumcheck.environments.request import LATEST
    from accumcheck.releases.upgrade import Side

    candidate = release("--to", new, others)
    current = None if old is None and not others else release("--from", old, others)
    if current is not None:
        installed = current.pins[0].version
    else:
        try:
            installed = version("transformers")
        except PackageNotFoundError:
            raise ConfigError("transformers is not installed here, so name the release in use with --from") from None
    # a nightly job that asks for the latest must not go red on the day when that is the one in use
    if new != LATEST and Version(installed) == Version(candidate.pins[0].version):
        whose = "the release installed here" if old is None else "--from"
        raise ConfigError(f"--to {new}: {installed} is {whose} as well; there is nothing to compare")
    return Side(installed, current), Side(candidate.pins[0].version, candidate)


def release(option: str, version: str | None, others: Sequence[str]) -> Request:
    """Read what one option and ``--with`` ask for; without a version, the installed transformers.

    Raises:
        ConfigError: it is malformed; the text names the option.
    """
    from accumcheck.environments import latest, parse_request

    try:
        request = parse_request(version, others, latest=latest)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--transformers", option)) from error
    assert request is not None
    return request
