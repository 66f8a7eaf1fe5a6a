"""What a report says, in words: the one source of its texts for the table, Markdown, HTML and CI systems.

Nothing is laid out or escaped here: texts from logs and models come as they are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from accumcheck.report import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from accumcheck.record import Divergence, Finding, Report, SplitResult, Tolerances

WORDS = {"pass": "pass", "warn": "WARN", "fail": "FAIL", "error": "ERROR", "skipped": "skipped", "ignore": "note"}
"""A verdict or a severity in plain words; what needs attention also stands out without colour."""
_NAMED = 8  # so many splits or rules are named in a text; of more, the table or JSON shows which


@dataclass(frozen=True, slots=True)
class Known:
    """A published fault that matches: its title, its address (may be empty), and what else is known of it."""

    title: str
    url: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know about some splits, or about the run as a whole where ``splits`` is empty.

    ``tone`` is a verdict or a severity; ``paragraphs`` say why, and what follows from it; ``advice``: what to do;
    ``labels``: the splits in few words; ``logs`` are files; ``id`` is a finding's.
    """

    tone: str
    labels: str
    text: str
    paragraphs: tuple[str, ...] = ()
    advice: str = ""
    source: str = ""
    known: tuple[Known, ...] = ()
    logs: tuple[str, ...] = ()
    id: str = ""
    splits: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The text, with the splits that it is about before it."""
        return f"{self.labels}: {self.text}" if self.labels else self.text


@dataclass(frozen=True, slots=True)
class Header:
    """What was checked, with which versions, and how."""

    model: str
    versions: tuple[str, ...]
    plan: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict on the run: ``word`` in the tone of ``tone``, what it means, and the exit code with its meaning."""

    tone: str
    word: str
    text: str
    exit: str

    def __str__(self) -> str:
        return f"{self.word}: {self.text} ({self.exit})"


def header(report: Report) -> Header:
    """What was checked, and with what."""
    environment, config = report.environment, report.config
    model = "model not known"
    if report.model is not None:
        shrunk = " (shrunk)" if report.model.shrunk else ""
        parameters = numbers.count(report.model.parameters)
        model = f"{report.model.architecture}{shrunk}, {parameters} parameters, {report.model.dtype}"
    script = config.get("script") or {}
    source = (config.get("model") or {}).get("name_or_path") or script.get("module") or config.get("callable")
    if script.get("path") or config.get("callable"):  # a file's folder is of no interest
        source = PurePath(script.get("path") or config["callable"]).name
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
        package = str(script.get("module") or "").partition(".")[0]
        stack += f" ({package} {environment.stack_version})" if package else f" {environment.stack_version}"
    program = report.program
    plan = [
        f"{device} ({environment.backend})" if device and environment.backend else device,
        f"stack {stack}" if stack else "",
        f"split set in {' and '.join(program.split_set_by)}" if program is not None and program.split_set_by else "",
        f"a sample is a {program.sample}" if program is not None and program.sample != "row" else "",
        f"hot-fix {config['hotfix']}" if config.get("hotfix") else "",
        f"global batch {config['global_batch_size']}" if "global_batch_size" in config else "",
        _plural(config["steps"], "optimizer step") if "steps" in config else "",
        numbers.seconds(report.duration_seconds),
    ]
    return Header(
        model=f"{model}, from {source}" if source else model,
        versions=tuple(f"{name} {version}" for name, version in versions.items() if version),
        plan=tuple(part for part in plan if part),
    )


def not_run(report: Report) -> list[Note]:
    """Why splits gave nothing, those with the same reason together, and where their logs are."""
    groups: dict[tuple[str, str], list[SplitResult]] = {}
    for split in report.splits:
        if split.status != "ran":
            groups.setdefault((split.verdict, split.reason), []).append(split)
    return [
        Note(
            tone=verdict,
            labels=_labels([str(split.split) for split in group], report),
            text=reason or "no reason was recorded",
            logs=tuple(split.log for split in group if split.log),
            splits=tuple(str(split.split) for split in group),
        )
        for (verdict, reason), group in groups.items()
    ]


def findings(report: Report) -> list[Note]:
    """What is wrong and how much, why, and what is known about it; not what `not_run` has said already."""
    return [note_of(finding, report) for finding in report.findings if not _told(finding, report)]


def note_of(finding: Finding, report: Report) -> Note:
    """One finding in words."""
    return Note(
        tone=finding.severity,
        labels=_labels(finding.splits, report),
        text=finding.summary,
        paragraphs=tuple(filter(None, (*finding.explanation.split("\n"), finding.consequence))),
        advice=finding.advice,
        source=finding.source or "",
        known=tuple(_known(fault) for fault in finding.known),
        id=finding.id,
        splits=finding.splits,
    )


def _told(finding: Finding, report: Report) -> bool:
    reasons = {str(split.split): split.reason for split in report.splits if split.status != "ran"}
    same = bool(finding.splits) and all(reasons.get(split) == finding.summary for split in finding.splits)
    return same and not finding.explanation


def _known(fault: Mapping[str, Any]) -> Known:
    title, url = str(fault.get("title") or fault.get("url") or "a published fault"), str(fault.get("url") or "")
    facts = [(key, fault.get(key)) for key in ("affected", "fixed", "workaround")]
    return Known(
        title=title,
        url="" if url == title else url,
        facts=tuple(
            (key, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
            for key, value in facts
            if value
        ),
    )


def measures(report: Report) -> list[tuple[str, str]]:
    """How the samples were weighted in the run as a whole, what was allowed, and what floating point alone does.

    Returns:
        Pairs of a label and a text.
    """
    found = _hotfixed(report)
    if report.loss_rule or report.gradient_rule:
        rules = f"loss {report.loss_rule or 'no rule'}, gradient {report.gradient_rule or 'no rule'}"
        found.append(("weighting", rules + _as_well(report)))
    if report.tolerances is not None:
        found.append(("tolerance", _three(report.tolerances)))
        found.append(("noise floor", f"{_three(report.tolerances.noise_floor)} (measured)"))
    return found


def _as_well(report: Report) -> str:
    """Which other rules fit: the loss often leaves open what the gradient decides."""
    of = {name: _told_apart(rules, report) for name, rules in report.alternatives.items()}
    loss, gradient = of.get("loss", []), of.get("gradient", [])
    if loss == gradient:
        return f" (fits as well: {_few(loss)})" if loss else ""
    parts = [f"{name} {_few(rules)}" for name, rules in (("loss", loss), ("gradient", gradient)) if rules]
    return f" (fits as well: {'; '.join(parts)})"


def _told_apart(rules: Sequence[str], report: Report) -> list[str]:
    """Without the rules that are another of them by definition: where n is 1 in every split there is no n to see."""
    splits = [split.split for split in report.splits]
    hidden = ["*k", "/k"] if all(split.gradient_accumulation_steps == 1 for split in splits) else []
    hidden += ["*n", "/n", "device-mean"] if all(split.num_processes == 1 for split in splits) else []
    return [rule for rule in rules if not any(part in rule for part in hidden)]


def _hotfixed(report: Report) -> list[tuple[str, str]]:
    """What a hot-fix does to the verdict and to the weighting, and what it costs."""
    if (before := report.before) is None:
        return []
    changes = [
        f"{what} {old or 'no rule'} -> {new or 'no rule'}"
        for what, old, new in (
            ("loss", before.loss_rule, report.loss_rule),
            ("gradient", before.gradient_rule, report.gradient_rule),
        )
    ]
    return [
        ("hot-fix", f"{before.hotfix}: {before.verdict} -> {report.verdict}; {', '.join(changes)}"),
        ("price", before.price),
    ]


def verdict(report: Report) -> Conclusion:
    """The verdict in words, and the exit code with its meaning."""
    of, total = Counter(split.verdict for split in report.splits), len(report.splits)
    ran = total - of["error"] - of["skipped"]
    rest = [f"{of['error']} could not run"] if of["error"] else []
    rest += [f"{of['skipped']} skipped"] if of["skipped"] else []
    severities = {finding.severity for finding in report.findings}
    warned = f"{of['warn']} with a warning" if of["warn"] else "with a warning on the run as a whole"
    word, tone, meaning = str(report.verdict), str(report.verdict), ""
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
        word, tone = "could not be decided", "error"
    elif report.verdict == "warn":
        parts, meaning = [f"{ran} of {_plural(total, 'split')} ran, {warned}"], ": warnings are allowed"
    else:
        agree = "agrees with the reference" if ran == 1 else "agree with the reference"
        if "ignore" in severities:
            agree = "ran, what differs is ignored as configured"
        parts = [f"{ran} of {_plural(total, 'split')} {agree}"]
        meaning = ": skipped splits are allowed" if of["skipped"] else ""
    return Conclusion(tone, word, ", ".join([*parts, *rest]), f"exit code {report.exit_code}{meaning}")


def either(options: Iterable[str]) -> str:
    """``a, b or c``."""
    *others, last = options
    return f"{', '.join(others)} or {last}" if others else last


def _labels(labels: Sequence[str], report: Report) -> str:
    """The splits' labels, in few words where they are many."""
    if len(labels) > 1 and len(labels) == len(report.splits):
        return "every split"
    return _few(labels)


def _few(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 2])} and {len(names) - _NAMED + 2} more"
    return ", ".join(names)


def _three(values: Divergence | Tolerances) -> str:
    loss, norm, gradient = (numbers.difference(value) for value in (values.loss, values.grad_norm, values.gradient))
    weights = "" if values.weights is None else f", weights {numbers.difference(values.weights)}"
    return f"loss {loss}, grad norm {norm}, gradient {gradient}{weights}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
