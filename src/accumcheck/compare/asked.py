"""Read from a command line which configurations to run, and under which releases."""

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
    """Read each configuration in files and folders once.

    Args:
        paths: YAML files, or folders of YAML files.
        overrides: as in `load_config`, for all of them.

    Raises:
        ConfigError: a folder has no configuration, or a configuration is wrong or is for several machines. The text
            has every error of every file.
    """
    found: list[Planned] = []
    errors: list[str] = []
    files: list[Path] = []
    for path in paths:
        inside = sorted(one for one in path.iterdir() if one.suffix in ENDINGS) if path.is_dir() else [path]
        files += inside
        if not inside:
            errors.append(f"{path}: this folder has no .yaml file; give configurations, or a folder with some")
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
            f"{file}: launcher.nnodes: found {check.launcher.nnodes}; releases are compared on one machine, because "
            "their environments are made on one; remove the key, or give --set launcher.nnodes=1"
        )
    return check


@dataclass(frozen=True, slots=True)
class Asked:
    """The packages that a command line names for both sides. They are not yet resolved.

    ``others``: the packages of ``--with``, for both sides; ``latest``: the new side needs the newest release of some
    package.
    """

    old: tuple[Wanted, ...]
    new: tuple[Wanted, ...]
    others: tuple[Wanted, ...]

    @property
    def latest(self) -> bool:
        """Whether the candidate depends on the day. The same command may then find nothing new."""
        return any(one.version == LATEST for one in self.new)


def read_sides(old: Sequence[str], new: Sequence[str], others: Sequence[str]) -> Asked:
    """Read the packages of ``--from``, ``--to`` and ``--with``.

    Raises:
        ConfigError: something is malformed. The text has one line for each error.
    """
    faults: list[str] = []
    wanted = [read_wanted(option, texts, faults) for option, texts in (("--from", old), ("--to", new))]
    wanted.append(read_wanted("--with", others, faults, versions=False))
    of_from, of_to, of_with = (tuple(one) for one in wanted)
    for side in (of_from, of_to):
        once([*side, *of_with], faults)
    return Asked(of_from, of_to, of_with)


def resolve_sides(asked: Asked, say: Say) -> tuple[Side, Side]:
    """The two environments. Looks up the newest releases, and builds wheels.

    If only one side names a package, the other side has the release that is installed here.

    Args:
        asked: the packages that the command line names.
        say: called with one line on what is being done.

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
                raise ConfigError(f"{name} is not installed here; give the release in use with {option}")
    # a nightly job that asks for the latest release must not fail when that release is already in use
    if not differing and not asked.latest:
        pins = ", ".join(f"{pin.name} {pin.label}" for pin in new.pins)
        raise ConfigError(f"{pins}: both sides are the same, so there is nothing to compare")
    return sides


def is_newer(old: Side, new: Side) -> bool:
    """Whether some package of the new side differs from the old one, and is not an older release."""
    return any(
        not _is_release(before) or not _is_release(after) or Version(after) > Version(before)
        for _, before, after in differing_packages(old, new)
    )


def differing_packages(old: Side, new: Side) -> list[tuple[str, str, str]]:
    """The named packages that differ, with their releases on both sides; an empty text: not installed."""
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
    """The release of a package that is installed here; empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _pins(request: Request | None) -> dict[str, Pin]:
    return {} if request is None else {pin.name: pin for pin in request.pins}


def _same(was: str, is_: str) -> bool:
    """Whether two labels mean the same release: ``4.49`` is ``4.49.0``."""
    return was == is_ or (bool(was and is_) and _is_release(was + is_) and Version(was) == Version(is_))


def _is_release(label: str) -> bool:
    return "(" not in label
