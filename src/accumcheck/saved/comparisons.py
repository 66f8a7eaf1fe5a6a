"""A comparison of two reports as JSON: what ``accumcheck upgrade`` and ``accumcheck compare`` write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

from accumcheck.record import SCHEMA_VERSION, Divergence, Finding, Report, Verdict
from accumcheck.record.comparison import Change, Changes, Comparison
from accumcheck.record.in_json import LATER, Always, Count, OneOf, SplitLabel, written_as
from accumcheck.redaction import redacted
from accumcheck.saved.write import plain, to_json

ExitCode = Annotated[int, OneOf((0, 1, 3))]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftJson:
    """How far the reference itself moved: relative differences, and the limits for rounding."""

    drifts: bool
    """By more than rounding, and nothing else explains it."""
    loss: float
    grad_norm: float
    allowed_loss: float
    allowed_grad_norm: float
    tokens: Change[Count] | None
    """Predicted tokens of the first step in which they differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitJson:
    """One split in both reports."""

    split: SplitLabel
    verdict: Change[Verdict]
    loss_rule: Change[str | None]
    gradient_rule: Change[str | None]
    worst: Change[Divergence]
    """The largest differences from the reference, of all steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesJson:
    """What changed between two reports of one check."""

    worse: dict[str, str]
    """Why a split is worse in the new one, by its label: it fails and did not, or its fault is larger or a new one."""
    broken: bool
    """Some split is worse, or the new one fails as a whole but the old one did not."""
    undecided: bool
    """One of the two could not be decided."""
    verdict: Change[Verdict]
    loss_rule: Change[str | None]
    gradient_rule: Change[str | None]
    worst: Change[Divergence]
    """The largest differences from the reference, of all splits and steps."""
    splits: tuple[SplitJson, ...]
    only_from: tuple[str, ...]
    """Splits that are only in the old report."""
    only_to: tuple[str, ...]
    """Splits that are only in the new report."""
    missing: tuple[str, ...]
    """Splits without a result in the new report: missing, or skipped there but not in the old one."""
    findings_gone: tuple[str, ...]
    """By their ids."""
    findings_new: tuple[str, ...]
    findings_kept: tuple[str, ...]
    reference: DriftJson | None
    reference_note: str
    """Why drift is ignored, or could not be measured; may be empty."""
    notes: tuple[str, ...]
    """What weakens this comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultJson:
    """One check."""

    config: str
    """The configuration's file; of saved reports, the new one's file."""
    exit_code: ExitCode
    """1: the new one fails or drifts, 3: could not be decided."""
    old: Report = field(metadata=written_as("from"))
    new: Report = field(metadata=written_as("to"))
    changes: ChangesJson


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonJson:
    """A comparison of two reports for each check: what accumcheck upgrade and accumcheck compare write.

    Numbers that are not finite are the strings NaN, Infinity and -Infinity.
    """

    schema_version: Annotated[str, Always(SCHEMA_VERSION)] = SCHEMA_VERSION
    old: str = field(metadata=written_as("from"))
    """The name of the old side."""
    new: str = field(metadata=written_as("to"))
    """The name of the new side."""
    allow_drift: bool
    """A reference that drifts is not a failure."""
    allow_missing: bool
    """A split without a result on the new side does not prevent a pass."""
    strict: bool
    """The new side must pass; otherwise it must only be no worse."""
    title: str = field(default="", metadata=LATER)
    """The heading of the comparison."""
    gate: bool | None = field(default=None, metadata=LATER)
    """True if the sides are environments, false if they are saved reports."""
    package: str = field(default="transformers", metadata=LATER)
    """The package whose releases the two sides are; empty if they differ in several packages."""
    results: tuple[ResultJson, ...]
    exit_code: ExitCode
    """Of all checks: 1 takes precedence over 3."""


def comparison_to_json(comparison: Comparison) -> str:
    """The whole comparison, both reports of every check in it, as JSON text ending in a line break."""
    return to_json(_saved(comparison))


def comparison_to_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison made of JSON types; numbers that are not finite are strings, as in reports."""
    made: dict[str, Any] = plain(_saved(comparison))
    return made


def comparison_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) that the JSON of ``upgrade`` and ``compare`` satisfies."""
    from accumcheck.saved.schema import schema_of

    return schema_of(ComparisonJson, "accumcheck comparison")


def _saved(comparison: Comparison) -> ComparisonJson:
    return ComparisonJson(
        old=comparison.old,
        new=comparison.new,
        allow_drift=comparison.allow_drift,
        allow_missing=comparison.allow_missing,
        strict=comparison.strict,
        title=comparison.title,
        gate=comparison.gate,
        package=comparison.package,
        results=tuple(
            ResultJson(
                config=pair.config,
                exit_code=pair.exit_code,
                old=redacted(pair.old),
                new=redacted(pair.new),
                changes=_changes(pair.changes),
            )
            for pair in comparison.pairs
        ),
        exit_code=comparison.exit_code,
    )


def _changes(changes: Changes) -> ChangesJson:
    drift = changes.drift
    return ChangesJson(
        worse=dict(changes.worse),
        broken=changes.broken,
        undecided=changes.undecided,
        verdict=changes.verdict,
        loss_rule=changes.loss_rule,
        gradient_rule=changes.gradient_rule,
        worst=changes.worst,
        splits=tuple(
            SplitJson(
                split=one.split,
                verdict=one.verdict,
                loss_rule=one.loss_rule,
                gradient_rule=one.gradient_rule,
                worst=one.worst,
            )
            for one in changes.splits
        ),
        only_from=changes.only_old,
        only_to=changes.only_new,
        missing=changes.missing,
        findings_gone=_ids(changes.findings_gone),
        findings_new=_ids(changes.findings_new),
        findings_kept=_ids(changes.findings_kept),
        reference=None
        if drift is None
        else DriftJson(
            drifts=changes.drifts,
            loss=drift.loss,
            grad_norm=drift.grad_norm,
            allowed_loss=drift.allowed_loss,
            allowed_grad_norm=drift.allowed_grad_norm,
            tokens=drift.tokens,
        ),
        reference_note=changes.no_drift_because,
        notes=changes.notes,
    )


def _ids(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(finding.id for finding in findings)
