"""How to install packages whose stated requirements go beyond training. The rows are data in ``recipes.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from accumcheck.environments.request import Pin

_LISTS = ("without", "instead", "also")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One row. The fields are explained at the top of ``recipes.yaml``."""

    package: str
    releases: SpecifierSet
    without: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    stubs: Mapping[str, str] = field(default_factory=dict)


def recipes_for(pins: Sequence[Pin], recipes: Sequence[Recipe] | None = None) -> list[Recipe]:
    """The recipes for these releases. Most packages have none."""
    chosen = []
    for pin in pins:
        fitting = (
            recipe
            for recipe in (shipped() if recipes is None else recipes)
            if recipe.package == pin.name and recipe.releases.contains(pin.version, prereleases=True)
        )
        chosen += [recipe for recipe in [next(fitting, None)] if recipe is not None]
    return chosen


@cache
def shipped() -> tuple[Recipe, ...]:
    """The recipes that accumcheck is shipped with."""
    return read_recipes(files("accumcheck.environments").joinpath("recipes.yaml").read_text(encoding="utf-8"))


def read_recipes(text: str) -> tuple[Recipe, ...]:
    """Read rows strictly, so that no malformed row is shipped.

    Args:
        text: YAML, a list of rows.

    Raises:
        ValueError: a row is malformed. The text names it and says what was expected.
    """
    rows = yaml.safe_load(text)
    if not isinstance(rows, list):
        raise ValueError("expected a list of recipes")
    return tuple(_read(number, row) for number, row in enumerate(rows, start=1))


def _read(number: int, row: Any) -> Recipe:
    name = f"row {number}"
    if not isinstance(row, dict) or not {"package", "releases"} <= row.keys():
        raise ValueError(f"{name}: expected a mapping with package and releases")
    name = f"{name} ({row['package']})"
    if unknown := sorted(row.keys() - {"package", "releases", "stubs", *_LISTS}):
        raise ValueError(f"{name}: {unknown[0]} is not a field of a recipe")
    if row["package"] != canonicalize_name(row["package"]):
        raise ValueError(f"{name}: expected the canonical name {canonicalize_name(row['package'])}")
    try:
        lists = {key: tuple(str(Requirement(one)) for one in row.get(key, ())) for key in _LISTS}
        return Recipe(row["package"], SpecifierSet(row["releases"]), **lists, stubs=row.get("stubs", {}))
    except (InvalidRequirement, InvalidSpecifier) as error:
        raise ValueError(f"{name}: {error}") from error
