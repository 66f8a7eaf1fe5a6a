"""Layer releases on top of accumcheck's own environment: what is shared, and what must be replaced.

A layered environment is a venv whose ``.pth`` file adds the site-packages of the environment below. Packages in the
venv come first. Everything else, such as torch, comes from below and is never installed again.
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
"""Packages that are never installed again. Their requirements restrict the choice of other packages instead."""


@dataclass(frozen=True)
class Base:
    """The environment below: its interpreter, its site-packages folders in order, and the packages in them."""

    python: str
    folders: tuple[str, ...]
    packages: Mapping[str, Distribution]

    @classmethod
    def here(cls) -> Base:
        """The environment of this process."""
        folders = tuple(
            dict.fromkeys(
                entry
                for entry in sys.path
                if Path(entry).name in ("site-packages", "dist-packages") and Path(entry).is_dir()
            )
        )
        return cls(sys.executable, folders, packages_in(folders))

    def recipe(self) -> dict[str, object]:
        """The properties that determine an environment on top of it."""
        return {
            "python": [os.path.realpath(self.python), sys.version],
            "folders": list(self.folders),
            "packages": {name: found.version for name, found in sorted(self.packages.items()) if name != "accumcheck"},
        }

    def requirements(self) -> dict[str, Iterable[str]]:
        """The stated requirements of every package below."""
        return {name: found.requires or () for name, found in self.packages.items()}

    def bounds(self) -> list[str]:
        """Constraints on the packages on top: the requirements of the packages below that stay."""
        return [
            str(requirement).partition(";")[0].strip()
            for name in NEVER
            if name in self.packages
            for requirement in requirements_of(self.packages[name].requires)
            if not requirement.extras
        ]

    def path_file(self) -> str:
        """The ``.pth`` file that makes the environment below importable. Python runs each of its lines separately."""
        # addsitedir also reads the .pth files below, for example that of an editable accumcheck
        return "".join(f"import site; site.addsitedir({folder!r})\n" for folder in self.folders)


def packages_in(folders: Iterable[str | Path]) -> dict[str, Distribution]:
    """The packages in site-packages folders by canonical name. Of two packages of one name the first counts."""
    found: dict[str, Distribution] = {}
    for one in distributions(path=[str(folder) for folder in folders]):
        found.setdefault(canonicalize_name(one.metadata["Name"]), one)
    return found


def requirements_of(metadata: Iterable[str] | None) -> list[Requirement]:
    """The requirements that apply on this machine, without those of extras."""
    parsed = [Requirement(line) for line in metadata or ()]
    return [one for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]


def broken_by(base: Mapping[str, Iterable[str]], layer: Mapping[str, str]) -> list[str]:
    """The packages of the environment below whose requirements are no longer met.

    Args:
        base: the packages below and their requirements, as in their metadata.
        layer: the packages on top and their versions.
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
    """The packages of the environment below that do not meet the requirements of packages on top.

    Args:
        layer: the packages on top.
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
