"""The result of a survey of a release's head classes: the content of its JSON.

The fields are in the order of the JSON. The text below each field is its description in the JSON Schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from accumcheck.record.finding import Finding
from accumcheck.record.in_json import Always, Count, OneOf
from accumcheck.record.reported import SCHEMA_VERSION, Environment
from accumcheck.record.split import Split

ClassVerdict = Literal["pass", "warn", "fail", "not checked"]
NotCheckedKind = Literal["unsupported", "missing-package", "crashed", "hung", "out-of-memory"]

NOT_CHECKED: ClassVerdict = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedClass:
    """One head class: the verdict of its check, or the reason why there is none."""

    name: str
    """The name of the class in transformers."""
    model_type: str
    """The model type of the class's configuration."""
    task: str
    """The task of the class, from transformers' registries of heads, or else from its name."""
    verdict: ClassVerdict
    """The verdict of accumcheck run on the configuration below; not checked: there is no verdict."""
    loss_rule: str | None = None
    """The weighting rule of the reported loss; null: no rule fits, or the class was not checked."""
    gradient_rule: str | None = None
    """The weighting rule of the gradient; null: no rule fits, or the class was not checked."""
    reason_kind: NotCheckedKind | None = None
    """The kind of the reason why the class was not checked; null: it was checked."""
    reason: str = ""
    """The reason in one line; empty: the class was checked."""
    duration_seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    """The findings, one per fault."""
    note: str = ""
    """What the check does not cover; empty: it covers everything."""
    config: dict[str, Any] = field(default_factory=dict)
    """The configuration of this check, for accumcheck run."""

    @property
    def is_checked(self) -> bool:
        """Whether the class has a verdict."""
        return self.verdict != NOT_CHECKED

    @property
    def rule(self) -> str:
        """The rule of the gradient, with the rule of the loss if it differs; ``no rule`` if none fits."""
        if not self.is_checked:
            return ""
        loss, gradient = self.loss_rule or "no rule", self.gradient_rule or "no rule"
        return gradient if loss == gradient else f"loss {loss}, gradient {gradient}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCounts:
    """The classes of one task, or of all."""

    checked: Count = 0
    not_checked: Count = 0
    passed: Count = 0
    warned: Count = 0
    failed: Count = 0
    missing_package: Count = 0
    """The number of classes that were not checked because a package is not installed."""

    @property
    def total(self) -> int:
        """The number of all classes."""
        return self.checked + self.not_checked


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveySummary:
    """Counts of classes."""

    checked: Count
    not_checked: Count
    by_rule: dict[str, int]
    """The number of checked classes by the rule of the gradient (and of the loss if it differs)."""
    by_task: dict[str, TaskCounts]
    by_reason: dict[str, int]
    """The number of classes that were not checked, by the kind of reason."""

    @classmethod
    def of(cls, classes: tuple[SurveyedClass, ...]) -> SurveySummary:
        """Count these classes. The most frequent rules and reasons come first; tasks are sorted by name."""
        checked = [one for one in classes if one.is_checked]
        return cls(
            checked=len(checked),
            not_checked=len(classes) - len(checked),
            by_rule=_counted([one.rule for one in checked]),
            by_task={
                task: _counts([one for one in classes if one.task == task])
                for task in sorted({one.task for one in classes})
            },
            by_reason=_counted([one.reason_kind or "" for one in classes if not one.is_checked]),
        )


def _counted(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names), key=lambda name: (-names.count(name), name))}


def _counts(classes: list[SurveyedClass]) -> TaskCounts:
    verdicts = [one.verdict for one in classes]
    not_checked = verdicts.count(NOT_CHECKED)
    return TaskCounts(
        checked=len(classes) - not_checked,
        not_checked=not_checked,
        passed=verdicts.count("pass"),
        warned=verdicts.count("warn"),
        failed=verdicts.count("fail"),
        missing_package=sum(one.reason_kind == "missing-package" for one in classes),
    )


ChangeKind = Literal["broken", "cured", "other rule", "no longer checked", "newly checked", "added", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyChange:
    """The change of one class since an older survey."""

    name: str
    change: ChangeKind
    before: str
    """The verdict and the rule in the older survey; empty: it did not have the class."""
    after: str
    """The verdict and the rule in this survey; empty: it does not have the class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSurvey:
    """An older survey that this one was compared with."""

    file: str
    transformers: str
    """The transformers release of the older survey."""
    changes: tuple[SurveyChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A survey of every head class of one transformers release, each checked at a tiny size."""

    schema_version: Annotated[str, Always(SCHEMA_VERSION)] = SCHEMA_VERSION
    accumcheck_version: str
    exit_code: Annotated[int, OneOf((0, 1, 2, 3, 130))]
    """0: all classes passed; 1: a class fails; 3: a class could not be checked."""
    started_at: str
    """ISO 8601, with the offset from UTC."""
    duration_seconds: float
    environment: Environment
    splits: tuple[Split, ...]
    """The splits under which every class was trained."""
    summary: SurveySummary
    classes: tuple[SurveyedClass, ...]
    """The classes, sorted by name."""
    compared: ComparedSurvey | None = None
    """The comparison with an older survey; null: there is none."""
