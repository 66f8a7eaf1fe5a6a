"""Laying releases over the environment that accumcheck runs in: what is seen through, and what must be replaced.

A layered environment is a venv whose ``.pth`` file names the site-packages below. Packages installed into it come
first; everything else, torch above all, is the one below and is never installed a second time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from accumcheck.environments.request import SHARED

NEVER = (*SHARED, "accumcheck")
"""Never installed again: what these require of other packages binds the choice of those instead."""


@dataclass(frozen=True)
class Base:
    """The environment below: its interpreter, its site-packages folders in order, and what is installed in them."""

    python: str
    folders: tuple[str, ...]
    packages: Mapping[str, Distribution]

    @classmethod
    def here(cls) -> Base:
        """The environment that this process runs in."""
        folders = tuple(
            dict.fromkeys(
                entry
                for entry in sys.path
                if Path(entry).name in ("site-packages", "dist-packages") and Path(entry).is_dir()
            )
        )
        return cls(sys.executable, folders, packages_in(folders))

    def recipe(self) -> dict[str, object]:
        """All of it that decides what an environment over it looks like."""
        return {
            "python": [os.path.realpath(self.python), sys.version],
            "folders": list(self.folders),
            "packages": {name: found.version for name, found in sorted(self.packages.items()) if name != "accumcheck"},
        }

    def requirements(self) -> dict[str, Iterable[str]]:
        """What every package below says it requires."""
        return {name: found.requires or () for name, found in self.packages.items()}

    def bounds(self) -> list[str]:
        """Constraints on what is laid over: what the packages that stay require."""
        return [
            str(requirement).partition(";")[0].strip()
            for name in NEVER
            if name in self.packages
            for requirement in requirements_of(self.packages[name].requires)
            if not requirement.extras
        ]

    def path_file(self) -> str:
        """The ``.pth`` file that makes the environment below importable; Python reads each of its lines alone."""
        # addsitedir, since the .pth files below (an editable accumcheck's among them) must be read as well
        return "".join(f"import site; site.addsitedir({folder!r})\n" for folder in self.folders)


def packages_in(folders: Iterable[str | Path]) -> dict[str, Distribution]:
    """What is installed in site-packages folders, by canonical name; the first of two of one name counts."""
    found: dict[str, Distribution] = {}
    for one in distributions(path=[str(folder) for folder in folders]):
        found.setdefault(canonicalize_name(one.metadata["Name"]), one)
    return found


def requirements_of(metadata: Iterable[str] | None) -> list[Requirement]:
    """The requirements that hold on this machine, without those of extras."""
    parsed = [Requirement(line) for line in metadata or ()]
    return [one for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]


def broken_by(base: Mapping[str, Iterable[str]], layer: Mapping[str, str]) -> list[str]:
    """The packages of the environment below that no longer find what they require.

    Args:
        base: the packages below and their requirements, as in their metadata.
        layer: the packages laid over them and their versions.
    """
    return sorted(
        name
        for name, metadata in base.items()
        if name not in layer
        and name not in NEVER
        and any(
            not requirement.specifier.contains(layer[key], prereleases=True)
            for requirement in requirements_of(metadata)
            if (key := canonicalize_name(requirement.name)) in layer
        )
    )


def unmet_by(layer: Mapping[str, Distribution], base: Mapping[str, str]) -> list[str]:
    """The packages of the environment below that are not what packages laid over it require.

    Args:
        layer: the packages laid over it.
        base: the packages below and their versions.
    """
    return sorted(
        {
            key
            for one in layer.values()
            for requirement in requirements_of(one.requires)
            if (key := canonicalize_name(requirement.name)) in base
            and key not in layer
            and key not in NEVER
            and not requirement.specifier.contains(base[key], prereleases=True)
        }
    )
