"""Installed packages as tables: of one environment, and the differences between two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.blocks import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

_MISSING = "-"


def installed(packages: Mapping[str, str]) -> Table:
    """Every package with its release."""
    columns = (Column(("", "package"), "left", gap=0), Column(("", "release"), "left", wraps=True))
    rows = [[Cell(name, "label"), Cell(release)] for name, release in sorted(packages.items())]
    return Table(columns, rows, caption="Installed packages", searched="package")


def differing(old: Mapping[str, str], new: Mapping[str, str]) -> Table:
    """The packages in which two environments differ; no rows if one of the two is unknown."""
    columns = tuple(Column(("", name), "left", wraps=name != "package") for name in ("package", "before", "now"))
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name)) if old and new else []
    rows = [[Cell(name, "label"), Cell(old.get(name, _MISSING)), Cell(new.get(name, _MISSING))] for name in names]
    return Table(columns, rows, caption="Packages in which the environments differ", searched="package")
