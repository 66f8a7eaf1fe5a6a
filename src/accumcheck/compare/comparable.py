"""Whether two reports belong to the same check: which keys differ, and what follows from each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from accumcheck.record import Report

ANOTHER_CHECK = ("model", "data", "seed", "global_batch_size")
"""Keys that determine the weights and samples. If one differs, the reports cannot be compared."""
OTHER_REFERENCE = (
    "model.dtype", "model.attn_implementation", "steps", "stack", "training_arguments",
)  # fmt: skip
"""Keys that change how, or for which batches, the reference is computed. If one differs, its drift says nothing."""
JUDGED_OTHERWISE = ("tolerances", "severity")
"""Keys that determine which differences fail."""
OF_NO_ACCOUNT = ("splits", "launcher", "trajectory_steps")
"""Keys that do not matter: splits are matched by name, and devices are compared by what was used."""
_LOCATIONS = ("model.name_or_path", "data.jsonl", "data.dataset.name_or_path")


@dataclass(frozen=True, slots=True)
class Likeness:
    """The differences between two reports, in words.

    ``obstacles``: why they cannot be compared; ``notes``: what weakens the comparison; ``other_reference``: why the
    references are not comparable.
    """

    obstacles: tuple[str, ...]
    notes: tuple[str, ...]
    other_reference: tuple[str, ...]


def likeness(old: Report, new: Report) -> Likeness:
    """Compare the configurations, models and devices of two reports."""
    obstacles: list[str] = []
    notes: list[str] = []
    other: list[str] = []
    for key, before, after in differing(old.config, new.config):
        said = f"{key}: {_short(before)} in the old report, {_short(after)} in the new"
        if _under(key, OF_NO_ACCOUNT):
            continue
        if _under(key, JUDGED_OTHERWISE):
            notes.append(f"{said}; the verdicts used different limits")
        elif key in _LOCATIONS and _same_name(before, after):
            notes.append(f"{said}; assumed to be copies of each other")
        elif _under(key, ANOTHER_CHECK) and not _under(key, OTHER_REFERENCE):
            obstacles.append(said)
        else:
            notes.append(said)
            other.append(key)
    for what, before, after in (
        ("device", old.environment.device, new.environment.device),
        ("device", old.environment.device_name, new.environment.device_name),
    ):
        if before and after and before != after and what not in other:
            notes.append(f"{what}: {before} in the old report, {after} in the new; their kernels round differently")
            other.append(what)
    for what, before, after in (
        ("torch", old.environment.torch, new.environment.torch),
        ("accumcheck", old.accumcheck_version, new.accumcheck_version),
    ):
        if before != after:
            notes.append(f"{what}: {before or 'unknown'} in the old report, {after or 'unknown'} in the new")
    if not {str(split.split) for split in old.splits} & {str(split.split) for split in new.splits}:
        obstacles.append(f"splits: {_splits(old)} in the old report, {_splits(new)} in the new; no split is in both")
    return Likeness(tuple(obstacles), (*notes, *_models(old, new)), tuple(other))


def differing(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The keys in which two configurations differ, as ``a.b.c``, with both values.

    A missing key is treated as an empty one, because later versions of accumcheck add keys.
    """
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        before, after = (value if isinstance(value, Mapping) else {} for value in (old, new))
        for name in dict.fromkeys([*before, *after]):
            yield from differing(before.get(name), after.get(name), f"{key}.{name}" if key else str(name))
    elif _plain(old) != _plain(new) and (old or new):
        yield key, old, new


def _models(old: Report, new: Report) -> list[str]:
    if old.model is None or new.model is None:
        return []
    notes = []
    if old.model.architecture != new.model.architecture:
        notes.append(f"the model is {old.model.architecture} in the old report and {new.model.architecture} in the new")
    if old.model.parameters != new.model.parameters:
        notes.append(
            f"the model has {old.model.parameters:,} parameters in the old report and {new.model.parameters:,} in the "
            "new: the architecture differs, so the same seed gives different weights"
        )
    return notes


def _under(key: str, roots: tuple[str, ...]) -> bool:
    return any(key == root or key.startswith(f"{root}.") for root in roots)


def _same_name(old: Any, new: Any) -> bool:
    """Whether both are absolute paths that end in the same name, as for a checkout on another machine."""
    if not isinstance(old, str) or not isinstance(new, str):
        return False
    before, after = PurePath(old), PurePath(new)
    return before.is_absolute() and after.is_absolute() and before.name == after.name


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _short(value: Any) -> str:
    text = "nothing" if value is None or value in ({}, [], "") else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _splits(report: Report) -> str:
    return ", ".join(str(split.split) for split in report.splits[:4]) or "none"
