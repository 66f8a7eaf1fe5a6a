"""The environments in the cache as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from accumcheck.environments.entries import Entry, place_of
from accumcheck.report.blocks import Cell, Column
from accumcheck.report.escapes import clean
from accumcheck.report.layout import columns

_COLUMNS = (
    Column(("releases", ""), align="left", gap=0),
    Column(("size", "")),
    Column(("last used", "")),
    Column(("state", ""), align="left"),
)
_ALWAYS_FITS = 10_000
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def as_table(entries: Sequence[Entry], folder: Path, now: float) -> list[Text]:
    """One line for each environment, and one for their sum.

    Args:
        entries: from `Shelf.entries`.
        folder: the folder of the cache.
        now: the time, in seconds since the epoch.
    """
    total = f"{len(entries)} environment{'' if len(entries) == 1 else 's'}"
    if not entries:
        return [Text(f"{total} in {folder}")]
    rows = [
        [
            Cell(_name(entry)),
            Cell(megabytes(entry.size)),
            Cell(ago(now - entry.last_used)),
            Cell(state(entry), "" if entry.complete else "yellow"),
        ]
        for entry in entries
    ]
    lines = columns(_COLUMNS, rows, _ALWAYS_FITS, _ALWAYS_FITS, "-")
    lines.append(Text(f"{total}, {megabytes(sum(entry.size for entry in entries))} in {folder}"))
    return lines


def state(entry: Entry) -> str:
    """The state of an entry in a word or two."""
    if entry.broken:
        return f"broken: {entry.broken}"
    if entry.complete:
        return "in use" if entry.in_use else "complete"
    return "being built" if entry.in_use else "half-built, never used"


def _name(entry: Entry) -> str:
    """The requested releases; for the remains of a build, the name of the folder."""
    asked = ", ".join(f"{name} {version}" for name, version in entry.releases.items())
    return readable(asked or place_of(entry.path).name)


def readable(name: str) -> str:
    """A name on one line that every screen can show. The name of a folder may contain any bytes."""
    return clean(name).replace("\n", " ").encode("utf-8", "backslashreplace").decode("utf-8")


def megabytes(size: int) -> str:
    """A number of bytes as text: ``335 MB`` or ``1.2 GB``."""
    return f"{size / 1e9:.1f} GB" if size >= 999_500_000 else f"{size / 1e6:.0f} MB"


def ago(seconds: float) -> str:
    """A time in the past in its largest unit: ``3 days ago``."""
    for unit, length in _UNITS:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
