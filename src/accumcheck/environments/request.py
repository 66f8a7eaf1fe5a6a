"""Read the requested packages (releases, wheels, folders, commits) from ``--transformers`` and ``--with``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from accumcheck.environments.sources import Source, is_source, read_source
from accumcheck.errors import ConfigError

OLDEST = Version("4.45.0")
"""The oldest transformers that accumcheck's workers run under (pyproject.toml says the same)."""
SHARED = ("torch", "torchvision", "torchaudio", "triton")
"""Never installed into an environment: torch, and packages compiled against one release of torch."""
LATEST = "latest"
"""The word for the newest release, in place of a version."""


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One package to install: a release, or a wheel that was built from a source.

    ``name``: the canonical name. For a wheel, ``origin``: what it was built from, in a few words; ``wheel``: its path;
    ``digest``: a digest of its contents; ``day``: the date of its commit (ISO 8601), if it has one.
    """

    name: str
    version: str
    origin: str = ""
    wheel: str = ""
    digest: str = ""
    day: str = ""

    def __str__(self) -> str:
        return f"{self.name} @ file://{self.wheel}" if self.wheel else f"{self.name}=={self.version}"

    @property
    def identity(self) -> str:
        """A text that identifies it, wherever its wheel is stored."""
        return f"{self.name}=={self.version} {self.digest}".strip()

    @property
    def label(self) -> str:
        """Its version for display: ``1.16.0``, ``1.17.0.dev0 (1f0c2a9b7e)``."""
        return f"{self.version} ({self.origin})" if self.origin else self.version


@dataclass(frozen=True, slots=True)
class Request:
    """The packages that an environment must have: transformers first, the others sorted by name."""

    pins: tuple[Pin, ...]

    def __str__(self) -> str:
        return ", ".join(f"{pin.name} {pin.label}" for pin in self.pins)

    @property
    def keeps_what_is_here(self) -> bool:
        """Whether all other packages keep the releases that are installed here.

        They do unless transformers is requested. Its dependencies are then installed as of the day of its release,
        because the releases installed here may be too new for it.
        """
        return all(pin.name != "transformers" for pin in self.pins)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One package of an option: a version (or ``latest``), or a source; ``place``: the option as it was given."""

    place: str
    name: str
    version: str = ""
    source: Source | None = None


Latest = Callable[[str], Version]
Build = Callable[[Source], Pin]


def parse_request(
    transformers: str | None, others: Sequence[str] = (), *, latest: Latest, build: Build | None = None
) -> Request | None:
    """Read the packages that ``--transformers`` and ``--with`` name.

    Args:
        transformers: a version, or ``latest``. Without it, all packages that are not named stay as they are here.
        others: ``name==version``, ``name @ ./checkout``, ``name @ git+file:///path@ref``, or a wheel.
        latest: returns the newest release of a package (`accumcheck.environments.latest`); called only if needed.
        build: makes a wheel of a source (`accumcheck.environments.wheels.build_wheel`); called only if needed.

    Returns:
        The request; None if nothing is requested.

    Raises:
        ConfigError: something is malformed. The text has one line for each error.
    """
    faults: list[str] = []
    wanted = [] if transformers is None else read_wanted("--transformers", [transformers], faults)
    wanted += read_wanted("--with", others, faults, versions=False)
    return resolve(once(wanted, faults), latest=latest, build=build)


def read_wanted(option: str, texts: Sequence[str], faults: list[str], *, versions: bool = True) -> list[Wanted]:
    """Read the packages that one option names.

    Args:
        option: the name of the option.
        texts: its values.
        faults: the list to which errors are added, one line each.
        versions: whether a value may be only a version, meaning transformers.
    """
    found = []
    for text in texts:
        place = f"{option} {text.strip()}"
        if is_source(text):
            try:
                source = read_source(text)
            except ConfigError as error:
                faults.append(f"{place}: {error}")
                continue
            name = source.name
            problem = _problem(name, LATEST) if name else None
            one = Wanted(place, name, source=source)
        else:
            named = _read(text, option, faults, versions=versions)
            if named is None:
                continue
            one = Wanted(place if named[0] == "transformers" else f"{option} {'=='.join(named)}", *named)
            problem = _problem(*named)
            if problem is not None and option != "--transformers" and _NAME.fullmatch(text.strip()):
                problem += f"; of the package {text.strip()}: {option} {text.strip()}==VERSION"
        if problem is not None:
            faults.append(f"{one.place}: {problem}")
        else:
            found.append(one)
    return found


def once(wanted: Sequence[Wanted], faults: list[str]) -> list[Wanted]:
    """Merge packages that are named twice with the same version.

    Raises:
        ConfigError: a package is named twice with different versions, or ``faults`` has other errors.
    """
    found: dict[str, Wanted] = {}
    for one in wanted:
        other = found.setdefault(one.name, one) if one.name else one
        if (other.version, other.source) != (one.version, one.source):
            faults.append(f"{one.place}: {one.name} is already named by {other.place}; remove one of them")
    if faults:
        raise ConfigError("\n".join(faults))
    return [*found.values(), *(one for one in wanted if not one.name)]


def resolve(wanted: Sequence[Wanted], *, latest: Latest, build: Build | None = None) -> Request | None:
    """The packages to install. Looks up the newest releases, and builds wheels.

    Returns:
        The request; None if nothing is requested.

    Raises:
        ConfigError: there is no such package, or a source contains another package than named.
        LaunchError: the index could not be reached, or a wheel could not be built.
    """
    pins = [_pin(one, latest, build) for one in wanted]
    if not pins:
        return None
    return Request(tuple(sorted(pins, key=lambda pin: (pin.name != "transformers", pin.name))))


def _pin(one: Wanted, latest: Latest, build: Build | None) -> Pin:
    if one.source is None:
        return Pin(one.name, str(latest(one.name) if one.version == LATEST else Version(one.version)))
    if build is None:
        raise ConfigError(f"{one.place}: only releases are allowed here, name==version")
    pin = build(one.source)
    if one.name and pin.name != one.name:
        raise ConfigError(f"{one.place}: this is the package {pin.name}, not {one.name}")
    if (problem := _problem(pin.name, pin.version)) is not None:
        raise ConfigError(f"{one.place}: {problem}")
    return pin


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


def _read(text: str, option: str, faults: list[str], *, versions: bool) -> tuple[str, str] | None:
    """Split ``name==version`` into name and version. ``versions``: a version alone is allowed too."""
    match = re.fullmatch(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([^\s=].*?)\s*", text)
    if match is not None:
        return canonicalize_name(match[1]), match[2]
    if versions and not re.search(r"[<>=~!@]", text):
        return "transformers", text.strip()
    name, extras = "trl", ""
    try:
        required = Requirement(text)
        name, extras = required.name, ",".join(sorted(required.extras))
    except InvalidRequirement:
        pass
    if extras and (pinned := re.fullmatch("==([^=*]+)", str(required.specifier))) and required.marker is None:
        problem = f"extras cannot be given; write '{name}=={pinned[1]}': what [{extras}] adds stays as it is installed"
    else:
        problem = (
            f"expected one exact release, name==version, for example {option} '{name}==1.16.0'; "
            "a range would give a different environment on another day"
        )
    faults.append(f"{option} {text.strip()}: {problem}")
    return None


def _problem(name: str, version: str) -> str | None:
    """What is wrong with one release, as far as it is known without an index."""
    if name in SHARED:
        return (
            f"{name} cannot be changed: every environment shares the one installed here, so that two reports differ "
            "only by the releases named. To check under another torch, install accumcheck in an environment with that "
            "torch and run it there"
        )
    if name == "accumcheck":
        return "accumcheck is the running program, not a package under test; it cannot be changed"
    if version == LATEST:
        return None
    try:
        parsed = Version(version)
    except InvalidVersion:
        return "not a version; give a release, for example 4.49.0, or latest"
    if name == "transformers" and Version(parsed.base_version) < OLDEST:
        return f"accumcheck runs under transformers {OLDEST} and later"
    return None
