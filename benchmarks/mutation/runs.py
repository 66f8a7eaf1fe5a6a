"""Run checks under mutants, and read their results: verdicts, hashes of gradients, executed lines."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accumcheck.check import run_checks
from accumcheck.record import Report
from accumcheck.stacks.registry import admit
from mutation import suites
from mutation.stack import RESULTS, SFT, SPEC

HERE = Path(__file__).parent
PATH = (str(HERE / "path"), str(HERE.parent))
FAR = 1e-5
"""A relative change of a number in the report that is not rounding."""


@dataclass(frozen=True)
class Ran:
    """One check under one mutant: ``hashes`` by split and process, ``lines`` of the targets that were executed."""

    name: str
    mutant: str
    report: Report
    hashes: dict[str, str]
    lines: frozenset[str]


def run(asked: Sequence[tuple[str, str]]) -> Iterator[Ran]:
    """Run each named check under its mutant, one import for all; see `suites.check`."""
    admit(SPEC)
    admit(SFT)
    checks = [suites.check(name, mutant, number) for number, (name, mutant) in enumerate(asked)]
    with _results() as folder:
        reports = run_checks(checks, path=PATH)
        for number, ((name, mutant), report) in enumerate(zip(asked, reports, strict=True)):
            lines = frozenset(_words(folder / f"{number}.lines"))
            yield Ran(name, mutant, report, _hashes(folder / f"{number}.sha"), lines)


@contextmanager
def _results() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ[RESULTS] = folder
        try:
            yield Path(folder)
        finally:
            del os.environ[RESULTS]


def _words(path: Path) -> Iterator[str]:
    if path.exists():
        yield from (line for line in path.read_text(encoding="utf-8").splitlines() if ":" in line)


def _hashes(path: Path) -> dict[str, str]:
    found: dict[str, str] = defaultdict(str)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for who, digest in zip(lines[::2], lines[1::2], strict=True):
        found[who] += digest
    return dict(found)


def guilty(mutated: Report, right: Report) -> set[str]:
    """The splits in which the mutant changes what is reported or applied, by the numbers of the two reports."""
    changed = set()
    for found, expected in zip(mutated.splits, right.splits, strict=True):
        pairs = [(found, expected)] if len(found.steps) != len(expected.steps) else []
        numbers = [zip(_numbers(one), _numbers(two), strict=True) for one, two in _steps(found, expected)]
        updates = zip(found.updates, expected.updates, strict=False)
        numbers += [zip(_of_update(one), _of_update(two), strict=False) for one, two in updates]
        if pairs or any(_is_far(one, two) for step in numbers for one, two in step):
            changed.add(str(found.split))
    return changed


def is_another_loss(mutated: Report, right: Report) -> bool:
    """Whether the mutant changes what the loss of a sample alone is: the reference's loss or gradient is another."""
    steps = zip(mutated.reference, right.reference, strict=False)
    pairs = [pair for one, two in steps for pair in ((one.loss, two.loss), (one.grad_norm, two.grad_norm))]
    return any(_is_far(one or 0.0, two or 0.0) for one, two in pairs)


def accused(report: Report) -> set[str]:
    """The splits that are found wrong or named by a finding."""
    wrong = {str(split.split) for split in report.splits if split.verdict in ("fail", "warn", "error")}
    return wrong.union(*(finding.splits for finding in report.findings if finding.id != "control-differs"))


def _steps(found: Any, expected: Any) -> Iterator[tuple[Any, Any]]:
    return zip(found.steps, expected.steps, strict=False)


def _numbers(step: Any) -> tuple[float, ...]:
    right = step.vs_reference
    values = (step.loss, step.grad_norm, step.logged_grad_norm, right.gradient, right.weights)
    return tuple(0.0 if value is None else 1.0 + value for value in values)


def _of_update(update: Any) -> tuple[float, ...]:
    change = update.weight_change
    values = (*update.learning_rates, update.clip_coefficient, None if change is None else change.norm)
    return tuple(0.0 if value is None else 1.0 + value for value in values)


def _is_far(one: float, other: float) -> bool:
    return not abs(one - other) <= FAR * max(abs(one), abs(other))
