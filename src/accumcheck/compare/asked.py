"""What a command line asks for: configurations in files and folders, and the releases to run them under."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.version import Version

from accumcheck.compare.upgrade import Planned, Side
from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.config.places import config_file
from accumcheck.environments import Request, latest, parse_request
from accumcheck.environments.request import LATEST
from accumcheck.errors import ConfigError

ENDINGS = (".yaml", ".yml")


def plans(paths: Sequence[Path], overrides: Sequence[str]) -> list[Planned]:
    """Read the configurations in files and folders, each once.

    Args:
        paths: YAML files; a folder stands for every one in it.
        overrides: as of `load_config`, for all of them.

    Raises:
        ConfigError: a folder holds none, some are wrong, or are for several machines; the text has every error of
            every file.
    """
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
            found.append(Planned(_for_one_machine(load_config(file, overrides), file), config_file(file, overrides)))
        except ConfigError as error:
            errors.append(str(error))
    if errors:
        raise ConfigError("\n".join(errors))
    return found


def _for_one_machine(check: CheckConfig, file: Path) -> CheckConfig:
    if check.launcher.nnodes > 1:
        raise ConfigError(
            f"{file}: launcher.nnodes: found {check.launcher.nnodes}; environments are made on one machine, so "
            "releases are compared on one: leave it out, or give --set launcher.nnodes=1"
        )
    return check


def sides(old: str | None, new: str, others: Sequence[str]) -> tuple[Side, Side]:
    """Read the two releases.

    Raises:
        ConfigError: they are malformed, or the same.
    """
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
    try:
        request = parse_request(version, others, latest=latest)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--transformers", option)) from error
    assert request is not None
    return request
