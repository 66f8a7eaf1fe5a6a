"""What stands above and below the table, in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from accumcheck.report import numbers
from accumcheck.report.layout import prose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from accumcheck.record import Divergence, Finding, Report, SplitResult, Tolerances

WORDS = {"pass": "pass", "warn": "WARN", "fail": "FAIL", "error": "ERROR", "skipped": "skipped", "ignore": "note"}
"""A verdict or a severity in plain words; what needs attention also stands out without colour."""
STYLES = {
    "pass": "green",
    "warn": "bold yellow",
    "fail": "bold red",
    "error": "bold magenta",
    "skipped": "yellow",
    "ignore": "dim",
}
_NAMED_SPLITS = 8  # so many splits are named before a text; of more, the table shows which
_LABEL = 13  # the column in which the texts after "tolerance" and its like begin
_INDENT = 8  # past the longest word in front


def header(report: Report, width: int) -> list[Text]:
    """What was checked, and with what."""
    environment, config = report.environment, report.config
    model = "no model could be made"
    if report.model is not None:
        shrunk = " (shrunk)" if report.model.shrunk else ""
        parameters = numbers.count(report.model.parameters)
        model = f"{report.model.architecture}{shrunk}, {parameters} parameters, {report.model.dtype}"
    source = (config.get("model") or {}).get("name_or_path")
    versions = {
        "transformers": environment.transformers,
        "accelerate": environment.accelerate,
        "torch": environment.torch,
        "accumcheck": report.accumcheck_version,
    }
    device = environment.device
    if environment.device_name and device != "cpu":
        device = f"{environment.device_count or 1} x {environment.device_name}"
    stack = str(config.get("stack", ""))
    if environment.stack_version not in ("", environment.transformers):
        stack += f" {environment.stack_version}"
    plan = [
        f"{device} ({environment.backend})" if device and environment.backend else device,
        f"stack {stack}" if stack else "",
        f"global batch {config['global_batch_size']}" if "global_batch_size" in config else "",
        _plural(config["steps"], "optimizer step") if "steps" in config else "",
        numbers.seconds(report.duration_seconds),
    ]
    return [
        *prose(f"{model}, from {source}" if source else model, width, style="bold"),
        *_listed([f"{name} {version}" for name, version in versions.items() if version], width),
        *_listed([part for part in plan if part], width),
    ]


def not_run(report: Report, width: int) -> list[Text]:
    """Why splits gave nothing, those with the same reason together, and where their logs are."""
    lines: list[Text] = []
    groups: dict[tuple[str, str], list[SplitResult]] = {}
    for split in report.splits:
        if split.status != "ran":
            groups.setdefault((split.verdict, split.reason), []).append(split)
    for (verdict, reason), group in groups.items():
        labels = _labels([str(split.split) for split in group], report)
        lines += _titled(verdict, f"{labels}: {reason or 'no reason was recorded'}", width)
        lines += [Text(f"{' ' * _INDENT}log: {split.log}", "dim") for split in group if split.log]
    return lines


def findings(report: Report, width: int) -> Iterator[list[Text]]:
    """A block for each finding: what is wrong and how much, why, and what is known about it."""
    reasons = {str(split.split): split.reason for split in report.splits if split.status != "ran"}
    for finding in report.findings:
        # What `not_run` has said of these splits already is not said again.
        told = finding.splits and all(reasons.get(split) == finding.summary for split in finding.splits)
        if finding.explanation or not told:
            yield list(_finding(finding, report, width))


def _finding(finding: Finding, report: Report, width: int) -> Iterator[Text]:
    labels = _labels(finding.splits, report)
    yield from _titled(finding.severity, f"{labels}: {finding.summary}" if labels else finding.summary, width)
    if finding.explanation:
        yield from prose(finding.explanation, width, indent=_INDENT)
    if finding.source:
        yield from prose(f"source: {finding.source}", width, indent=_INDENT, style="dim")
    for known in finding.known:
        title = known.get("title") or known.get("url") or "a published fault"
        yield from prose(f"known: {title}", width, indent=_INDENT)
        for key in ("url", "affected", "fixed", "workaround"):
            value = known.get(key)
            if value and value != title:
                text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
                yield from prose(text if key == "url" else f"{key}: {text}", width, indent=_INDENT + 2, style="dim")


def measures(report: Report, width: int) -> list[Text]:
    """How the samples were weighted in the run as a whole, what was allowed, and what floating point alone does."""
    lines: list[Text] = []
    if report.loss_rule or report.gradient_rule:
        rules = f"loss {report.loss_rule or 'no rule'}, gradient {report.gradient_rule or 'no rule'}"
        others = dict.fromkeys(rule for found in report.alternatives.values() for rule in found)
        also = f" (fits as well: {', '.join(others)})" if others else ""
        lines += _labelled("weighting", rules + also, width)
    if report.tolerances is not None:
        lines += _labelled("tolerance", _three(report.tolerances), width)
        lines += _labelled("noise floor", f"{_three(report.tolerances.noise_floor)} (measured)", width)
    return lines


def verdict(report: Report) -> list[Text]:
    """The last line: the verdict in words, and the exit code with its meaning."""
    of, total = Counter(split.verdict for split in report.splits), len(report.splits)
    ran = total - of["error"] - of["skipped"]
    rest = [f"{of['error']} could not run"] if of["error"] else []
    rest += [f"{of['skipped']} skipped"] if of["skipped"] else []
    severities = {finding.severity for finding in report.findings}
    warned = f"{of['warn']} with a warning" if of["warn"] else "with a warning on the run as a whole"
    word, style, meaning = str(report.verdict), STYLES[report.verdict], ""
    if report.exit_code == 1 and not of["fail"] and (of["warn"] or "warn" in severities):
        parts, meaning = [f"{ran} of {_plural(total, 'split')} ran, {warned}"], ": warnings fail under --strict"
    elif report.verdict == "fail" or report.exit_code == 1:
        diverge = "diverges" if of["fail"] == 1 else "diverge"
        parts = [
            f"{of['fail']} of {_plural(total, 'split')} {diverge}" if of["fail"] else "the run as a whole diverges"
        ]
        parts += [warned] if of["warn"] else []
        meaning = ": divergence"
    elif report.exit_code == 3 or report.verdict in ("error", "skipped"):
        parts = [f"of {_plural(total, 'split')}, {rest.pop(0)}" if rest else "the reason stands above"]
        word, style = "could not be decided", STYLES["error"]
    elif report.verdict == "warn":
        parts, meaning = [f"{ran} of {_plural(total, 'split')} ran, {warned}"], ": warnings are allowed"
    else:
        agree = "agrees with the reference" if ran == 1 else "agree with the reference"
        if "ignore" in severities:
            agree = "ran, what differs is ignored as configured"
        parts = [f"{ran} of {_plural(total, 'split')} {agree}"]
        meaning = ": skipped splits are allowed" if of["skipped"] else ""
    text = f" {', '.join([*parts, *rest])} (exit code {report.exit_code}{meaning})"
    return [Text(f"{word}:", style) + Text(text)]


def _titled(severity: str, text: str, width: int) -> list[Text]:
    return prose(text, width, first=Text(WORDS[severity].ljust(_INDENT), STYLES[severity]), indent=_INDENT)


def _listed(parts: Sequence[str], width: int) -> list[Text]:
    """Parts with commas between them; lines break between parts, not within."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return prose(",\n".join(lines), width)


def _labelled(label: str, text: str, width: int) -> list[Text]:
    return prose(text, width, first=Text(label.ljust(_LABEL), "dim"), indent=_LABEL)


def _labels(labels: Sequence[str], report: Report) -> str:
    """The splits' labels, in few words where they are many."""
    if len(labels) > 1 and len(labels) == len(report.splits):
        return "every split"
    if len(labels) > _NAMED_SPLITS:
        return f"{', '.join(labels[: _NAMED_SPLITS - 2])} and {len(labels) - _NAMED_SPLITS + 2} more"
    return ", ".join(labels)


def _three(values: Divergence | Tolerances) -> str:
    loss, norm, gradient = (numbers.difference(value) for value in (values.loss, values.grad_norm, values.gradient))
    weights = "" if values.weights is None else f", weights {numbers.difference(values.weights)}"
    return f"loss {loss}, grad norm {norm}, gradient {gradient}{weights}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
