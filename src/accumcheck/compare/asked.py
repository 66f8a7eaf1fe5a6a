"""What a command line asks for: configurations in files and folders, and the releases to run them under."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.version import Version

from accumcheck.compare.upgrade import Planned, Side
from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.config.places import config_file
from accumcheck.environments import Pin, Request, build_wheel, latest
from accumcheck.environments.request import LATEST, Wanted, once, read_wanted, resolve
from accumcheck.errors import ConfigError

ENDINGS = (".yaml", ".yml")

Say = Callable[[str], None]


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


@dataclass(frozen=True, slots=True)
class Asked:
    """The packages that a command line names for both sides, read but not yet resolved.

    ``others``: of ``--with``, which both sides have; ``latest``: the new side asks for the newest release of something.
    """

    old: tuple[Wanted, ...]
    new: tuple[Wanted, ...]
    others: tuple[Wanted, ...]

    @property
    def latest(self) -> bool:
        """Whether the candidate depends on the day: the same command may find nothing new."""
        return any(one.version == LATEST for one in self.new)


def read_sides(old: Sequence[str], new: Sequence[str], others: Sequence[str]) -> Asked:
    """Read what ``--from``, ``--to`` and ``--with`` name.

    Raises:
        ConfigError: some of it is malformed; one line each.
    """
    faults: list[str] = []
    wanted = [read_wanted(option, texts, faults) for option, texts in (("--from", old), ("--to", new))]
    wanted.append(read_wanted("--with", others, faults, versions=False))
    of_from, of_to, of_with = (tuple(one) for one in wanted)
    for side in (of_from, of_to):
        once([*side, *of_with], faults)
    return Asked(of_from, of_to, of_with)


def resolve_sides(asked: Asked, say: Say) -> tuple[Side, Side]:
    """The two environments: the newest releases are asked for, and wheels are built.

    A package that is named on one side is, on the other, the one that is installed here.

    Args:
        asked: what the command line names.
        say: called with what is being done.

    Raises:
        ConfigError: something does not exist, or both sides are the same.
        LaunchError: the index could not be reached, or a wheel could not be built.
    """
    old, new = (
        resolve([*side, *asked.others], latest=latest, build=partial(build_wheel, say=say))
        for side in (asked.old, asked.new)
    )
    assert new is not None
    sides = Side(_pins(old), old), Side(_pins(new), new)
    differing = differing_packages(*sides)
    for name, before, after in differing:
        for option, release in (("--from", before), ("--to", after)):
            if not release:
                raise ConfigError(f"{name} is not installed here, so name the release in use with {option}")
    # a nightly job that asks for the latest must not go red on the day when that is the one in use
    if not differing and not asked.latest:
        pins = ", ".join(f"{pin.name} {pin.label}" for pin in new.pins)
        raise ConfigError(f"{pins}: both sides are the same; there is nothing to compare")
    return sides


def is_newer(old: Side, new: Side) -> bool:
    """Whether the new side has a package in another state than the old one that is no older release of it."""
    return any(
        not _is_release(before) or not _is_release(after) or Version(after) > Version(before)
        for _, before, after in differing_packages(old, new)
    )


def differing_packages(old: Side, new: Side) -> list[tuple[str, str, str]]:
    """The packages that are named and differ, with what they are on both sides; empty where one is not installed."""
    names = dict.fromkeys([*old.pins, *new.pins])
    found = []
    for name in sorted(names, key=lambda name: (name != "transformers", name)):
        before, after = old.pins.get(name), new.pins.get(name)
        was, is_ = (installed_release(name) if pin is None else pin.label for pin in (before, after))
        other_wheel = before is not None and after is not None and before.digest != after.digest
        if other_wheel or not _same(was, is_):
            found.append((name, was, is_))
    return found


def installed_release(package: str) -> str:
    """The release of a package that is installed here; empty where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _pins(request: Request | None) -> dict[str, Pin]:
    return {} if request is None else {pin.name: pin for pin in request.pins}


def _same(was: str, is_: str) -> bool:
    """Whether two labels are of one release, however it is written: ``4.49`` is ``4.49.0``."""
    return was == is_ or (bool(was and is_) and _is_release(was + is_) and Version(was) == Version(is_))


def _is_release(label: str) -> bool:
    return "(" not in label
