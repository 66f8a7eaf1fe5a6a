"""The reproduction for a program: the smallest configuration with which accumcheck still finds the fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accumcheck.check import run_check
from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.model import CheckConfig
from accumcheck.config.show import without_program_keys
from accumcheck.config.yaml_positions import write_document
from accumcheck.record import Finding, Report, Split
from accumcheck.reproduce.candidates import candidates
from accumcheck.reproduce.case import NotReproducedError
from accumcheck.reproduce.finding import rules_of, splits_of

Say = Callable[[str], None]
Lend = Callable[[Report, Say], AbstractContextManager[str]]
MOST_SPLITS = 4
"""The largest number of splits that are tried. Each needs a complete check."""


@dataclass(frozen=True, slots=True)
class SmallConfiguration:
    """A configuration that still shows the fault: its text, its report, and the finding in the report."""

    text: str
    report: Report
    finding: Finding


def shrunk_configuration(report: Report, finding: Finding, *, environment: Lend, say: Say) -> SmallConfiguration:
    """The configuration with the fewest splits, steps, rows and processes that still has the finding.

    Args:
        report: the report of a run of a program.
        finding: a finding of the report.
        environment: lends the interpreter with the releases of the report.
        say: called with one line for each step.

    Raises:
        NotReproducedError: no small configuration has the finding.
        ConfigError: the report's configuration is not a valid one.
    """
    check = configuration_of(report)
    tried: list[str] = []
    with environment(report, say) as python:
        for smaller in _smaller(check, finding, report):
            named = ", ".join(map(str, smaller.splits or ()))
            found = run_check(smaller, python=python)
            same = next((one for one in found.findings if _is_same(one, finding)), None)
            say(f"{named}: {'shows it' if same is not None else f'does not show it ({found.verdict})'}")
            if same is not None:
                return SmallConfiguration(_text(smaller, same), found, same)
            tried.append(named)
    raise NotReproducedError(f"no smaller configuration shows it; tried {'; '.join(tried) or 'none'}")


def configuration_of(report: Report) -> CheckConfig:
    """The configuration of a report.

    Raises:
        ConfigError: it is not valid.
    """
    plain = json.dumps(without_program_keys(dict(report.config)), ensure_ascii=False)
    return read_config(plain, Place("the report's configuration"), Path.cwd(), [])


def _smaller(check: CheckConfig, finding: Finding, report: Report) -> Iterator[CheckConfig]:
    """Checks of one step with a control and one split, the smallest first. The last one has the split of the report."""
    rules, shown = rules_of(finding), splits_of(finding, report)
    small = list(candidates(rules, shown))[:MOST_SPLITS] if rules else []
    for split in [*small, *shown[:1]]:
        batch = split.global_batch_size
        control = Split(1, batch, 1)
        splits = (control, split) if split != control else (control,)
        yield replace(check, splits=splits, global_batch_size=batch, steps=1, trajectory_steps=0, expect=())


def _is_same(one: Finding, finding: Finding) -> bool:
    if one.severity not in ("fail", "warn"):
        return False
    return one.id == finding.id or (bool(rules_of(one)) and set(rules_of(one)) <= set(rules_of(finding)))


def _text(check: CheckConfig, finding: Finding) -> str:
    plain: dict[str, Any] = without_program_keys(check.to_dict())
    kept = {name: value for name, value in plain.items() if value not in (None, {}, [], (), "auto")}
    tolerances = {name: value for name, value in kept.pop("tolerances", {}).items() if value is not None}
    kept |= {"tolerances": tolerances} if tolerances else {}
    kept = {name: _without_none(value) for name, value in kept.items()}
    return f"# accumcheck run FILE finds: {finding.summary}\n{write_document(kept)}"


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(one) for name, one in value.items() if one is not None}
    return list(value) if isinstance(value, tuple) else value
