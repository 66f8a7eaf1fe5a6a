"""Checks that the parts of a report agree with each other. A saved report is not trusted: it may have been changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from accumcheck.errors import ConfigError
from accumcheck.record import Report, Split, SplitResult
from accumcheck.saved.read import listed, path, short
from accumcheck.saved.verdicts import contradicted_verdicts


def check_consistent(report: Report) -> None:
    """Check that a report could have come out of a run.

    Raises:
        ConfigError: it could not; one line per contradiction, which begins with its place, for example
            ``splits[1].verdict``.
    """
    found = list(_contradictions(report))
    # what only follows from a duplicate split, or one without steps, is not reported as well
    if found := found or list(contradicted_verdicts(report)):
        raise ConfigError("\n".join([*listed(found), "the report contradicts itself; run the check again"]))


def _contradictions(report: Report) -> Iterator[str]:
    yield from _splits(report)
    yield from _control(report)
    yield from _references(report)
    for at, split in enumerate(report.splits):
        yield from _steps(at, split, report)
    yield from _findings(report)
    yield from _config(report.config)
    yield from _severities(report)
    yield from _tolerances(report)


def _splits(report: Report) -> Iterator[str]:
    counts = Counter(split.split for split in report.splits)
    for at, split in enumerate(report.splits):
        if counts[split.split] > 1:
            yield f"splits[{at}].split: {split.split} appears {counts[split.split]} times in the report"
    for asked in _asked(report.config):
        if asked not in counts:
            yield f"config.splits: {asked} was requested, but is not among splits"


def _asked(config: Mapping[str, object]) -> Iterator[Split]:
    """The splits of the configuration, as far as it lists them."""
    listed_ = config.get("splits")
    for one in listed_ if isinstance(listed_, list) else []:
        try:
            yield Split.parse(str(one))
        except ValueError:
            continue


def _control(report: Report) -> Iterator[str]:
    labels = [str(split.split) for split in report.splits]
    if labels and report.control not in labels:
        yield f"control: found {short(report.control)}, which is not among splits"
    for at, split in enumerate(report.splits):
        if split.is_control != (str(split.split) == report.control):
            yield f"splits[{at}].is_control: found {short(split.is_control)}, but control is {short(report.control)}"


def _references(report: Report) -> Iterator[str]:
    for at, step in enumerate(report.reference):
        if step.step != at + 1:
            yield f"reference[{at}].step: found {step.step}, expected {at + 1}"
    steps, data = report.config.get("steps"), report.config.get("data")
    epochs = data.get("epochs") if isinstance(data, dict) else None
    if report.reference and isinstance(steps, int) and epochs is None and steps != len(report.reference):
        yield f"reference: found {len(report.reference)} steps, but config.steps is {short(steps)}"


def _steps(at: int, split: SplitResult, report: Report) -> Iterator[str]:
    if split.status != "ran" and split.steps:
        yield f"splits[{at}].steps: found {len(split.steps)}, but status is {split.status}"
    for number, step in enumerate(split.steps, start=1):
        place = path(("splits", at, "steps", number - 1))
        if step.step != number:
            yield f"{place}.step: found {step.step}, expected {number}"
        # in a split that passes, each step was fed the reference's samples
        if split.verdict == "pass" and number <= len(report.reference):
            right = report.reference[number - 1]
            for name, found, due in (("tokens", step.tokens, right.tokens), ("samples", step.samples, right.samples)):
                if found != due:
                    yield f"{place}.{name}: found {found}, but the reference has {due} and the verdict is pass"


def _findings(report: Report) -> Iterator[str]:
    labels = {str(split.split) for split in report.splits}
    for at, finding in enumerate(report.findings):
        for place, label in enumerate(finding.splits):
            if label not in labels:
                yield f"findings[{at}].splits[{place}]: found {label}, which is not among splits"


_SHOWN: Mapping[str, type] = {
    **dict.fromkeys(("model", "data", "script", "training_arguments", "tolerances", "severity"), dict),
    **dict.fromkeys(("model.name_or_path", "model.dtype", "script.path", "script.module"), str),
    **dict.fromkeys(("callable", "stack", "hotfix"), str),
    **dict.fromkeys(("steps", "global_batch_size"), int),
}
"""The keys of the configuration that are shown or used; each may be missing or null."""


def _config(config: Mapping[str, object]) -> Iterator[str]:
    for key, kind in _SHOWN.items():
        section, _, name = key.rpartition(".")
        inside = config.get(section) if section else config
        found = inside.get(name) if isinstance(inside, dict) else None
        if found is not None and not isinstance(found, kind):
            expected = {dict: "an object", str: "a text", int: "a whole number"}[kind]
            yield f"config.{key}: found {short(found)}, expected {expected}"


def _severities(report: Report) -> Iterator[str]:
    given = report.config.get("severity")
    for rule, severity in given.items() if isinstance(given, dict) else ():
        if severity not in ("ignore", "warn", "fail"):
            yield f"{path(('config', 'severity', rule))}: found {short(severity)}, expected ignore, warn or fail"


def _tolerances(report: Report) -> Iterator[str]:
    """Tolerances that would pass everything or nothing, and those that do not match their origins."""
    if report.tolerances is None:
        return
    wanted = report.config.get("tolerances")
    for name in ("loss", "grad_norm", "gradient", "weights"):
        allowed, origin = getattr(report.tolerances, name), report.tolerances.origins.get(name)
        if allowed is None:
            continue
        if not 0 <= allowed < math.inf:
            yield f"tolerances.{name}: found {short(allowed)}, expected a finite number that is not negative"
            continue
        due: object = None
        if origin is not None and origin.chosen != "configuration":
            from_noise = origin.safety * (origin.noise or 0.0) + origin.rounding
            due = max(origin.floor, from_noise if origin.ceiling is None else min(from_noise, origin.ceiling))
        elif origin is not None and isinstance(wanted, dict):
            due = wanted.get("gradient" if name == "weights" else name)
        if isinstance(due, (int, float)) and not math.isclose(allowed, due, rel_tol=1e-6):
            yield f"tolerances.{name}: found {allowed:.3g}, but tolerances.origins.{name} gives {due:.3g}"
    for name in report.tolerances.origins:
        if name not in ("loss", "grad_norm", "gradient", "weights"):
            yield f"tolerances.origins: found {short(name)}, which is not a tolerance"
