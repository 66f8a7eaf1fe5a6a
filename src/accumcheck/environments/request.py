"""What the user asked for: exact releases, read from ``--transformers`` and ``--with``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from accumcheck.errors import ConfigError

OLDEST = Version("4.45.0")
"""The oldest transformers that accumcheck's workers run under (pyproject.toml says the same)."""
SHARED = ("torch", "torchvision", "torchaudio", "triton")
"""Never installed into an environment: torch, and what is compiled against one torch."""
LATEST = "latest"
"""Stands for the newest release where a version is expected."""


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One release: the package's canonical name and its version."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class Request:
    """The releases that an environment must have, transformers first, the others by name."""

    pins: tuple[Pin, ...]

    def __str__(self) -> str:
        return ", ".join(f"{pin.name} {pin.version}" for pin in self.pins)


def parse_request(
    transformers: str | None, others: Sequence[str] = (), *, latest: Callable[[str], Version]
) -> Request | None:
    """Read the command line's releases.

    Args:
        transformers: a version, or ``latest``. Without it, an environment keeps the release that is installed here:
            dependencies of the day of something older would replace it unasked.
        others: ``name==version``.
        latest: the newest release of a package (`accumcheck.environments.latest`); asked only where needed.

    Returns:
        None where nothing is asked for.

    Raises:
        ConfigError: all that is malformed, one line each.
    """
    if transformers is None and not others:
        return None
    faults: list[str] = []
    found: dict[str, tuple[str, str]] = {}
    given = [] if transformers is None else [("--transformers", "transformers", transformers)]
    for text in others:
        if (named := _read(text, faults)) is not None:
            given.append(("--with", *named))
    for option, name, version in given:
        place = f"{option} {version if option == '--transformers' else f'{name}=={version}'}"
        if name in found and found[name][0] != version:
            faults.append(f"{place}: {name} is already named with {found[name][1]}; leave one of them out")
        elif (problem := _problem(name, version)) is not None:
            faults.append(f"{place}: {problem}")
        found.setdefault(name, (version, place))
    if "transformers" not in found and not faults:
        found["transformers"] = (_installed_transformers(faults), "")
    if faults:
        raise ConfigError("\n".join(faults))
    versions = {name: latest(name) if version == LATEST else Version(version) for name, (version, _) in found.items()}
    order = sorted(versions, key=lambda name: (name != "transformers", name))
    return Request(tuple(Pin(name, str(versions[name])) for name in order))


def _read(text: str, faults: list[str]) -> tuple[str, str] | None:
    """``name==version`` as name and version; anything else is a fault."""
    match = re.fullmatch(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([^\s=].*?)\s*", text)
    if match is not None:
        return canonicalize_name(match[1]), match[2]
    try:
        name = Requirement(text).name
    except InvalidRequirement:
        name = "trl"
    faults.append(
        f"--with {text}: expected one exact release, name==version, for example --with '{name}==1.16.0'; "
        "a range would make another environment on another day"
    )
    return None


def _problem(name: str, version: str) -> str | None:
    """What is wrong with one release, as far as can be told without an index."""
    if name in SHARED:
        return (
            f"{name} is never changed: every environment shares the one installed here, so that two reports differ by "
            "the releases named and by nothing else. To check under another torch, install accumcheck next to it and "
            "run it there"
        )
    if name == "accumcheck":
        return "accumcheck itself is the one that is running; it is not part of what is checked"
    if version == LATEST:
        return None
    try:
        parsed = Version(version)
    except InvalidVersion:
        return "not a version; give a release, for example 4.49.0, or latest"
    if name == "transformers" and parsed < OLDEST:
        return f"accumcheck runs under transformers {OLDEST} and later"
    return None


def _installed_transformers(faults: list[str]) -> str:
    try:
        version = installed_version("transformers")
    except PackageNotFoundError:
        faults.append("--with: transformers is not installed here, so name its release too, with --transformers")
        return LATEST
    if Version(version).is_devrelease or Version(version).local is not None:
        faults.append(
            f"--with: the transformers installed here, {version}, was never released, so an environment cannot have "
            "it; name a release with --transformers"
        )
    return version
