"""The published faults. They are read from ``faults.yaml`` and checked strictly, so no malformed row is shipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, get_args

import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from accumcheck.hotfixes import NAMES
from accumcheck.record import CountAnswer
from accumcheck.record.rule import Rule

REQUIRED = ("id", "title", "affected", "fixed", "architectures", "url", "workaround")
SHOWN_BY = ("loss_rules", "gradient_rules", "finding")
CONDITIONS = ("training_arguments", "token_count", "count_passed")


@dataclass(frozen=True, slots=True)
class When:
    """Conditions other than release, rule and architecture; None means no condition.

    ``training_arguments``: by name, whether the argument must be set; ``token_count``: what the model does with a
    token count; ``count_passed``: whether the stack passed one.
    """

    training_arguments: Mapping[str, bool] = field(default_factory=dict)
    token_count: str | None = None
    count_passed: bool | None = None


@dataclass(frozen=True, slots=True)
class KnownFault:
    """One published fault. The fields are explained at the top of ``faults.yaml``.

    ``finding``: the id of the finding that the fault causes; None if it is recognised by its rules. ``hotfix``: the
    hot-fix that fixes it.
    """

    id: str
    title: str
    affected: Mapping[str, SpecifierSet]
    fixed: str
    loss_rules: frozenset[str]
    gradient_rules: frozenset[str]
    architectures: tuple[str, ...]
    url: str
    workaround: str
    when: When
    finding: str | None = None
    hotfix: str | None = None

    @property
    def is_for_any_architecture(self) -> bool:
        """Whether the row names no architecture."""
        return "*" in self.architectures

    def cited(self) -> dict[str, Any]:
        """The fault as a finding cites it."""
        affected = ", ".join(f"{package} {_ordered(spec)}" for package, spec in self.affected.items())
        return {
            "title": self.title,
            "url": self.url,
            "affected": affected,
            "fixed": self.fixed,
            "workaround": self.workaround + self._cure,
        }

    @property
    def _cure(self) -> str:
        if self.hotfix is None:
            return ""
        name = self.hotfix
        return f"; accumcheck run CONFIG --hotfix {name} tries a fix, accumcheck hotfix show {name} prints it"


@cache
def known_faults() -> tuple[KnownFault, ...]:
    """The faults that accumcheck is shipped with."""
    text = files("accumcheck.known").joinpath("faults.yaml").read_text(encoding="utf-8")
    return read_faults(text)


def read_faults(text: str) -> tuple[KnownFault, ...]:
    """Read the rows of a catalogue.

    Args:
        text: YAML, a list of rows.

    Raises:
        ValueError: something in a row is missing, unknown or malformed. The text lists all such places, one a line.
    """
    rows = yaml.safe_load(text)
    if not isinstance(rows, list):
        raise ValueError("expected a list of known faults")
    faults: list[KnownFault] = []
    wrong: list[str] = []
    for number, row in enumerate(rows, start=1):
        name = str(row["id"]) if isinstance(row, dict) and "id" in row else f"row {number}"
        problems = _problems(row)
        if any(fault.id == name for fault in faults):
            problems.append("id: used twice")
        wrong += [f"{name}: {problem}" for problem in problems]
        if not problems:
            faults.append(_fault(row))
    if wrong:
        raise ValueError("\n".join(wrong))
    return tuple(faults)


def _fault(row: Mapping[str, Any]) -> KnownFault:
    return KnownFault(
        id=row["id"],
        title=row["title"],
        affected={package: SpecifierSet(spec) for package, spec in row["affected"].items()},
        fixed=row["fixed"],
        loss_rules=_names(row.get("loss_rules", ())),
        gradient_rules=_names(row.get("gradient_rules", ())),
        architectures=tuple(row["architectures"]),
        url=row["url"],
        workaround=row["workaround"],
        when=When(**row.get("when", {})),
        finding=row.get("finding"),
        hotfix=row.get("hotfix"),
    )


def _names(rules: Iterable[str]) -> frozenset[str]:
    """Rules by the names that findings use, whatever the order of their factors in the file."""
    return frozenset(str(Rule.parse(rule)) for rule in rules)


# --- what a row may contain -------------------------------------------------------------------------------------------


def _problems(row: Any) -> list[str]:
    if not isinstance(row, dict):
        return ["expected a mapping"]
    problems = [f"{key}: missing" for key in REQUIRED if key not in row]
    problems += [f"{key}: unknown" for key in row if key not in (*REQUIRED, *SHOWN_BY, "when", "hotfix")]
    if {key for key in SHOWN_BY if key in row} not in ({"finding"}, {"loss_rules", "gradient_rules"}):
        problems.append("expected either finding, or both loss_rules and gradient_rules")
    if problems:
        return problems
    for key in ("id", "title", "fixed", "url", "workaround", *(["finding"] if "finding" in row else [])):
        if not isinstance(row[key], str) or not row[key]:
            problems.append(f"{key}: found {row[key]!r}, expected a text")
    if row.get("hotfix") not in (None, *NAMES):
        problems.append(f"hotfix: found {row['hotfix']!r}, expected one of {', '.join(NAMES)}")
    if not str(row["url"]).startswith("https://"):
        problems.append(f"url: found {row['url']!r}, expected an https address")
    for key in ("loss_rules", "gradient_rules") if "finding" not in row else ():
        problems += _list_problems(key, row[key])
        problems += [f"{key}: no such rule: {rule!r}" for rule in _texts(row[key]) if not _is_formula(rule)]
    problems += _list_problems("architectures", row["architectures"])
    return problems + _release_problems(row["affected"]) + _condition_problems(row.get("when", {}))


def _is_formula(name: str) -> bool:
    try:
        return Rule.parse(name).is_formula
    except ValueError:
        return False


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _list_problems(key: str, value: Any) -> list[str]:
    right = isinstance(value, list) and value and len(_texts(value)) == len(value)
    return [] if right else [f"{key}: found {value!r}, expected a list of names"]


def _release_problems(affected: Any) -> list[str]:
    if not isinstance(affected, dict) or not affected:
        return [f"affected: found {affected!r}, expected a mapping from packages to releases"]
    problems = []
    for package, spec in affected.items():
        try:
            if not SpecifierSet(spec):
                problems.append(f"affected.{package}: the specifier excludes no release")
        except (InvalidSpecifier, TypeError, AttributeError):
            problems.append(f"affected.{package}: found {spec!r}, expected a version specifier (PEP 440)")
    return problems


def _condition_problems(when: Any) -> list[str]:
    if not isinstance(when, dict):
        return [f"when: found {when!r}, expected a mapping"]
    problems = [f"when.{key}: unknown" for key in when if key not in CONDITIONS]
    arguments = when.get("training_arguments", {})
    if not isinstance(arguments, dict) or any(not isinstance(wanted, bool) for wanted in arguments.values()):
        problems.append(f"when.training_arguments: found {arguments!r}, expected true or false for each name")
    if (answer := when.get("token_count")) is not None and answer not in get_args(CountAnswer):
        problems.append(f"when.token_count: found {answer!r}, expected one of {', '.join(get_args(CountAnswer))}")
    if (passed := when.get("count_passed")) is not None and not isinstance(passed, bool):
        problems.append(f"when.count_passed: found {passed!r}, expected true or false")
    return problems


def _ordered(spec: SpecifierSet) -> str:
    """``>=4.49.0,<4.52.0``: the lower bound first, as in the data."""
    return ",".join(sorted(map(str, spec), key=lambda one: (one.startswith("<"), one)))
