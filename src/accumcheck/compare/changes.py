"""What changed between two reports of one check, and the exit code that follows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from accumcheck.compare.comparable import likeness
from accumcheck.compare.worse import why_worse
from accumcheck.errors import ConfigError
from accumcheck.judge.measure.errors import relative
from accumcheck.record import Divergence, Finding, Report, SplitResult, Tolerances
from accumcheck.record.comparison import Change, Changes, Drift, SplitChange

UNDECIDED = 3


def compare_reports(old: Report, new: Report) -> Changes:
    """Compare two reports of one check.

    Raises:
        ConfigError: they belong to different checks. The text names every key that shows it.
    """
    alike = likeness(old, new)
    if alike.obstacles:
        raise ConfigError("\n".join(["the reports cannot be compared; their checks differ:", *alike.obstacles]))
    before, after = ({str(split.split): split for split in report.splits} for report in (old, new))
    common = [label for label in before if label in after]
    drift = drift_between(old, new)
    worse = {label: why for label in common if (why := why_worse(before[label], after[label], old, new))}
    reasons = [f"different {', '.join(alike.other_reference)}"] if alike.other_reference else []
    if drift is None:
        reasons = ["at least one of the reports has no reference"]
    kept = {_key(finding) for finding in old.findings} & {_key(finding) for finding in new.findings}
    return Changes(
        verdict=Change(old.verdict, new.verdict),
        loss_rule=Change(old.loss_rule, new.loss_rule),
        gradient_rule=Change(old.gradient_rule, new.gradient_rule),
        worst=Change(worst(before[label] for label in common), worst(after[label] for label in common)),
        splits=tuple(_split(before[label], after[label]) for label in common),
        only_old=tuple(label for label in before if label not in after),
        only_new=tuple(label for label in after if label not in before),
        missing=tuple(label for label, split in before.items() if _is_missing(split, after.get(label))),
        findings_gone=tuple(finding for finding in old.findings if _key(finding) not in kept),
        findings_new=tuple(finding for finding in new.findings if _key(finding) not in kept),
        findings_kept=tuple(finding for finding in new.findings if _key(finding) in kept),
        drift=drift,
        no_drift_because="; ".join(reasons),
        notes=alike.notes,
        worse=worse,
        broken=bool(worse) or _breaks_as_a_whole(old, new),
        undecided=UNDECIDED in (old.exit_code, new.exit_code),
    )


def exit_code(changes: Changes, new: Report, *, strict: bool, allow_drift: bool, allow_missing: bool = False) -> int:
    """The exit code for one pair of reports: 1 wins over 3.

    Args:
        changes: the changes between them.
        new: the newer report.
        strict: the newer report must pass. Otherwise it only must not be worse than the old one.
        allow_drift: a changed reference is not a failure.
        allow_missing: a split without a result in the newer report does not prevent a pass.
    """
    failed = changes.broken or (strict and new.exit_code == 1)
    if failed or (changes.drifts and not allow_drift):
        return 1
    return UNDECIDED if changes.undecided or (changes.missing and not allow_missing) else 0


def worst_exit_code(codes: Iterable[int]) -> int:
    """The exit code for several pairs: 1 wins over 3, and 3 over 0."""
    found = set(codes)
    return 1 if 1 in found else UNDECIDED if UNDECIDED in found else 0


def drift_between(old: Report, new: Report) -> Drift | None:
    """How far the reference moved in the steps that both reports have; None if a report has no reference.

    The limit is the larger tolerance of the two runs. The part of the loss's tolerance for the rounding of the stack's
    log is left out, because the reference is not logged. A difference in tokens is always above the limit.
    """
    later = {step.step: step for step in new.reference}
    steps = [(step, later[step.step]) for step in old.reference if step.step in later]
    if not steps or old.tolerances is None or new.tolerances is None:
        return None
    loss_limit = max(_without_log(old.tolerances, "loss"), _without_log(new.tolerances, "loss"))
    norm_limit = max(_without_log(old.tolerances, "grad_norm"), _without_log(new.tolerances, "grad_norm"))
    losses = [_relative_difference(before.loss, after.loss) for before, after in steps]
    norms = [_relative_difference(before.grad_norm, after.grad_norm) for before, after in steps]
    moved = [max(_times(loss, loss_limit), _times(norm, norm_limit)) for loss, norm in zip(losses, norms, strict=True)]
    before, after = steps[moved.index(max(moved))]
    tokens = next((Change(one.tokens, two.tokens) for one, two in steps if one.tokens != two.tokens), None)
    return Drift(
        loss=max(losses),
        grad_norm=max(norms),
        allowed_loss=loss_limit,
        allowed_grad_norm=norm_limit,
        step=before.step,
        losses=Change(before.loss, after.loss),
        grad_norms=Change(before.grad_norm, after.grad_norm),
        tokens=tokens,
        beyond=max(moved) > 1 or tokens is not None,
    )


def _without_log(tolerances: Tolerances, name: Literal["loss", "grad_norm"]) -> float:
    allowed = tolerances.loss if name == "loss" else tolerances.grad_norm
    origin = tolerances.origins.get(name)
    if origin is None or origin.chosen == "configuration":
        return allowed
    from_noise = origin.safety * (origin.noise or 0.0)
    return max(origin.floor, from_noise if origin.ceiling is None else min(from_noise, origin.ceiling))


def _relative_difference(old: float, new: float) -> float:
    """The relative difference; infinite if only one of the numbers is finite."""
    found = relative(new, old)
    if found is None or math.isnan(found):
        return 0.0 if (math.isnan(old) and math.isnan(new)) or old == new else math.inf
    return found


def _times(value: float, limit: float) -> float:
    return value / limit if limit else math.inf if value else 0.0


def _breaks_as_a_whole(old: Report, new: Report) -> bool:
    """Whether the new run fails as a whole, but none of its splits does, and the old run did not fail."""
    as_a_whole = new.exit_code == 1 and all(split.verdict != "fail" for split in new.splits)
    return as_a_whole and old.exit_code != 1


def _is_missing(old: SplitResult, new: SplitResult | None) -> bool:
    """Whether the new report has no result for a split. A split that was not compared does not count as a pass."""
    return new is None or (new.status == "skipped" and old.status != "skipped")


def _split(old: SplitResult, new: SplitResult) -> SplitChange:
    return SplitChange(
        split=str(new.split),
        verdict=Change(old.verdict, new.verdict),
        loss_rule=Change(old.loss_rule, new.loss_rule),
        gradient_rule=Change(old.gradient_rule, new.gradient_rule),
        worst=Change(worst([old]), worst([new])),
    )


def worst(splits: Iterable[SplitResult]) -> Divergence:
    """The largest differences from the reference over all steps. NaN wins; None if nothing was compared."""
    found = [step.vs_reference for split in splits for step in split.steps]
    return Divergence(
        _largest(one.loss for one in found),
        _largest(one.grad_norm for one in found),
        _largest(one.gradient for one in found),
        _largest(one.weights for one in found),
    )


def _largest(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if any(math.isnan(value) for value in known):
        return math.nan
    return max(known, default=None)


def _key(finding: Finding) -> tuple[str, str | None, str | None]:
    return finding.id, finding.loss_rule, finding.gradient_rule
