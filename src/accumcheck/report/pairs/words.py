"""What is said of two reports beside each other, in words; every format takes its texts from here."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from accumcheck.report import numbers
from accumcheck.report.words import WORDS, Conclusion, Note, header, not_run, note_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.comparison import Change, Comparison, Pair
    from accumcheck.record import Report

MEANINGS = {0: "", 1: ": the new one fails, or its reference drifts", 3: ": could not be decided"}


def side(comparison: Comparison, name: str) -> str:
    """One of the two sides inside a sentence: ``transformers 5.23.0``, or ``the new report``."""
    return f"transformers {name}" if comparison.gate else f"the {name} report"


def subject(pair: Pair) -> tuple[str, str]:
    """What was checked, and with which versions, those that differ as ``4.57.6 -> 5.23.0``."""
    model = header(pair.new if pair.new.model is not None else pair.old).model
    old, new = pair.old.environment, pair.new.environment
    versions = [
        f"{name} {arrow(getattr(old, name) or '?', getattr(new, name) or '?')}"
        for name in ("transformers", "accelerate", "torch")
    ]
    device = arrow(old.device or "no device", new.device or "no device")
    spent = f"{numbers.seconds(pair.old.duration_seconds)} and {numbers.seconds(pair.new.duration_seconds)}"
    return model, f"{', '.join(versions)}, {device}, {spent}"


def arrow(old: object, new: object) -> str:
    """``a -> b``, or ``a`` where nothing changed."""
    return str(old) if old == new else f"{old} -> {new}"


def facts(pair: Pair, comparison: Comparison) -> list[tuple[str, str]]:
    """Labels and texts: what the verdicts, the rules, the largest error and the reference were, and are."""
    changes = pair.changes
    found = [("verdict", arrow(changes.verdict.old, changes.verdict.new))]
    rules = [
        f"{what} {arrow(rule.old or 'no rule', rule.new or 'no rule')}"
        for what, rule in (("loss", changes.loss_rule), ("gradient", changes.gradient_rule))
        if rule.old or rule.new
    ]
    if rules:
        found.append(("weighting", ", ".join(rules)))
    if changes.worst.old.gradient is not None or changes.worst.new.gradient is not None:
        errors = (numbers.difference(one.gradient) for one in (changes.worst.old, changes.worst.new))
        found.append(("worst", f"gradient error {arrow(*errors)}"))
    found.append(("reference", reference(pair, comparison)))
    for only, name in ((changes.only_old, comparison.old), (changes.only_new, comparison.new)):
        if only:
            found.append(("not compared", f"{', '.join(only)}: only {_where(comparison, name)}"))
    return found


def reference(pair: Pair, comparison: Comparison) -> str:
    """Whether the same weights and data give the same right answer in both."""
    changes, drift = pair.changes, pair.changes.drift
    if drift is None:
        return f"not compared: {changes.no_drift_because}"
    loss, norm = numbers.difference(drift.loss), numbers.difference(drift.grad_norm)
    allowed = f"allowed {numbers.difference(drift.allowed_loss)} and {numbers.difference(drift.allowed_grad_norm)}"
    if not drift.beyond:
        return f"does not drift: loss moves by {loss}, gradient norm by {norm} ({allowed})"
    values = (
        f"loss {_moved(drift.losses, drift.loss)}, gradient norm {_moved(drift.grad_norms, drift.grad_norm)}, "
        f"step {drift.step}"
    )
    tokens = f"; predicted tokens {drift.tokens.old} -> {drift.tokens.new}" if drift.tokens else ""
    if changes.no_drift_because:
        return f"differs, which says nothing here ({changes.no_drift_because}): {values}{tokens}"
    word = "drifts, as allowed" if comparison.allow_drift else "DRIFTS"
    return f"{word}: {values}{tokens} ({allowed})"


def _moved(values: Change[float], apart: float) -> str:
    old, new = numbers.aligned([values.old, values.new])
    return f"{old} -> {new} ({numbers.ratio(values.new, values.old, apart)})"


def notes(pair: Pair, comparison: Comparison) -> list[Note]:
    """What did not run and why, then findings: new ones whole, those in both and those that are gone in a line."""
    changes = pair.changes
    found = [
        replace(note, text=f"{_where(comparison, name)}: {note.text}")
        for report, name in ((pair.old, comparison.old), (pair.new, comparison.new))
        for note in not_run(report)
    ]
    reasons = {note.text for report in (pair.old, pair.new) for note in not_run(report)}
    for finding in changes.findings_new:
        if finding.summary not in reasons:
            note = note_of(finding, pair.new)
            found.append(replace(note, text=f"new {_where(comparison, comparison.new)}: {note.text}"))
    for finding in changes.findings_kept:
        if finding.summary not in reasons:
            note = note_of(finding, pair.new)
            found.append(replace(note, text=f"in both: {note.text}"))
    for finding in changes.findings_gone:
        if finding.summary not in reasons:
            note = note_of(finding, pair.old)
            found.append(Note("ignore", note.labels, f"gone {_where(comparison, comparison.new)}: {note.text}"))
    return [*found, *(Note("ignore", "", text) for text in changes.notes)]


def _where(comparison: Comparison, name: str) -> str:
    return f"{'under' if comparison.gate else 'in'} {side(comparison, name)}"


def conclusion(pair: Pair, comparison: Comparison) -> Conclusion:
    """What one pair comes to."""
    exit_text = f"exit code {pair.exit_code}{MEANINGS[pair.exit_code]}"
    new, old = side(comparison, comparison.new), side(comparison, comparison.old)
    changes, rules = pair.changes, named(pair.new)
    if changes.broken:
        said = f"{new} breaks this check{rules}"
        if changes.verdict.old == "fail":
            said = f"{new} fails where {old} does not{rules}"
    elif pair.new.exit_code == 1:
        said = f"fails in both: not a regression, but {new} fails{rules}"
        if not changes.verdict.changed and (changes.loss_rule.changed or changes.gradient_rule.changed):
            said = f"fails in both, by another rule: {named(pair.old, ' and ')} before, {named(pair.new, ' and ')} now"
    elif changes.drifts and not comparison.allow_drift:
        said = f"under {new} the same weights and data give another loss or gradient; --allow-drift accepts that"
    elif changes.undecided:
        said = _undecided(pair, comparison)
    elif pair.old.exit_code == 1:
        said = f"{new} fixes what fails under {old}{named(pair.old)}"
    else:
        warned = ", with warnings" if pair.new.verdict == "warn" else ""
        said = f"both agree{warned}" if not changes.drifts else f"both agree{warned}; the reference drifts, as allowed"
    tone, word = {0: ("pass", "pass"), 1: ("fail", "fail"), 3: ("error", "could not be decided")}[pair.exit_code]
    if pair.exit_code == 0 and pair.new.exit_code == 1:
        tone, word = "warn", "no regression"
    return Conclusion(tone, word, said, exit_text)


def _undecided(pair: Pair, comparison: Comparison) -> str:
    sides = ((pair.old, comparison.old), (pair.new, comparison.new))
    wanting = [side(comparison, name) for report, name in sides if report.exit_code == 3]
    other = [f"{side(comparison, name)}: {report.verdict}" for report, name in sides if report.exit_code != 3]
    said = f"this check could not be decided {'under' if comparison.gate else 'in'} {' nor under '.join(wanting)}"
    return said + (f" ({', '.join(other)})" if other else "")


def named(report: Report, joint: str = "") -> str:
    """The rules that a failing report names, after a colon unless ``joint`` is given; nothing where it names none."""
    rules = list(dict.fromkeys(rule for rule in (report.loss_rule, report.gradient_rule) if rule))
    if joint:
        return joint.join(rules) or "no rule"
    if not rules:
        return ""
    if len(rules) == 1:
        return f": {rules[0]}"
    return f": loss {rules[0]}, gradient {rules[1]}"


def overall(comparison: Comparison) -> Conclusion:
    """What all pairs together come to."""
    if len(comparison.pairs) == 1:
        return conclusion(comparison.pairs[0], comparison)
    of = Counter(pair.exit_code for pair in comparison.pairs)
    parts = [f"{of[1]} fail" if of[1] else "", f"{of[3]} could not be decided" if of[3] else "", f"{of[0]} pass"]
    code = comparison.exit_code
    tone, word = {0: ("pass", "pass"), 1: ("fail", "fail"), 3: ("error", "could not be decided")}[code]
    text = f"of {len(comparison.pairs)} configurations, {', '.join(filter(None, parts))}"
    return Conclusion(tone, word, text, f"exit code {code}{MEANINGS[code]}")


def to_tell(comparison: Comparison) -> Sequence[Pair]:
    """The pairs that are told in full: the only one, or those that did not come out well or changed."""
    if len(comparison.pairs) == 1:
        return comparison.pairs
    return [pair for pair in comparison.pairs if pair.exit_code or pair.changes.drifts or _changed(pair)]


def _changed(pair: Pair) -> bool:
    changes: list[Change[Any]] = [pair.changes.verdict, pair.changes.loss_rule, pair.changes.gradient_rule]
    return any(change.changed for change in changes)


def verdict_word(verdict: str) -> str:
    """A verdict as tables write it."""
    return WORDS[verdict]
