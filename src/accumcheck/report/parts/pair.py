"""The sentences that compare two reports of one check."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from accumcheck.record.bisection import RulePair
from accumcheck.report import numbers
from accumcheck.report.blocks import Conclusion, Head, Note
from accumcheck.report.parts.head import head
from accumcheck.report.parts.notes import not_run, note_of
from accumcheck.report.parts.phrases import few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.record import Report
    from accumcheck.record.comparison import Change, Comparison, Pair

_SHOWN_PACKAGES = 8
"""This many packages are listed; JSON has all of them."""
_TRAINING = (
    "transformers",
    "trl",
    "sentence-transformers",
    "llamafactory",
    "accelerate",
    "torch",
    "deepspeed",
    "peft",
    "diffusers",
    "datasets",
    "tokenizers",
    "numpy",
)
_OUTCOMES = {
    "worse": ("worse", "worse"),
    "fails": ("fails", "fail"),
    "drift": ("drifts", "drift"),
    "undecided": ("could not be decided", "could not be decided"),
    "as before": ("fails as before", "fail as before"),
    "passes": ("passes", "pass"),
}
"""What becomes of a pair, in the order in which it counts: of one, and of several."""
_VERDICTS = {0: ("pass", "pass"), 1: ("fail", "fail"), 3: ("error", "could not be decided")}


def side(comparison: Comparison, name: str) -> str:
    """One of the two sides as part of a sentence: ``transformers 5.23.0``, or ``the new report``."""
    return f"{comparison.package} {name}".strip() if comparison.gate else f"the {name} report"


def where(comparison: Comparison, name: str) -> str:
    """``under transformers 5.23.0``, or ``in the new report``."""
    return f"{'under' if comparison.gate else 'in'} {side(comparison, name)}"


def subject(pair: Pair) -> Head:
    """What was checked, and with which versions, those that differ as ``4.57.6 -> 5.23.0``."""
    model = head(pair.new if pair.new.model is not None else pair.old).model
    old, new = pair.old.environment, pair.new.environment
    versions = [
        f"{name} {arrow(getattr(old, name) or '?', getattr(new, name) or '?')}"
        for name in ("transformers", "accelerate", "torch")
    ]
    device = arrow(old.device or "no device", new.device or "no device")
    spent = f"{numbers.seconds(pair.old.duration_seconds)} and {numbers.seconds(pair.new.duration_seconds)}"
    return Head(model, ((*versions, device, spent),))


def arrow(old: object, new: object) -> str:
    """``a -> b``, or ``a`` where nothing changed."""
    return str(old) if old == new else f"{old} -> {new}"


def facts(pair: Pair, comparison: Comparison) -> list[tuple[str, str]]:
    """Labels and texts: what the verdicts, the rules, the largest error and the reference were, and are."""
    changes = pair.changes
    found = [("verdict", arrow(changes.verdict.old, changes.verdict.new))]
    if rules := _rules(changes.loss_rule, changes.gradient_rule):
        found.append(("weighting", rules))
    if changes.worst.old.gradient is not None and changes.worst.new.gradient is not None:
        errors = (numbers.difference(one.gradient) for one in (changes.worst.old, changes.worst.new))
        found.append(("worst", f"gradient error {arrow(*errors)}"))
    found.append(("reference", reference(pair, comparison)))
    if environment := environment_words(pair):
        found.append(("environment", environment))
    for only, name in ((changes.only_old, comparison.old), (changes.only_new, comparison.new)):
        if only:
            found.append(("not compared", f"{', '.join(only)}: only {where(comparison, name)}"))
    return found


def _rules(loss: Change[str | None], gradient: Change[str | None]) -> str:
    of_loss, of_gradient = (arrow(rule.old or "no rule", rule.new or "no rule") for rule in (loss, gradient))
    if not any((loss.old, loss.new, gradient.old, gradient.new)):
        return ""
    return f"loss and gradient {of_loss}" if of_loss == of_gradient else f"loss {of_loss}, gradient {of_gradient}"


def reference(pair: Pair, comparison: Comparison) -> str:
    """Whether the same weights and data give the same right answer in both."""
    changes, drift = pair.changes, pair.changes.drift
    if drift is None:
        return f"not compared: {changes.no_drift_because}"
    loss, norm = numbers.difference(drift.loss), numbers.difference(drift.grad_norm)
    allowed = f"allowed {numbers.difference(drift.allowed_loss)} and {numbers.difference(drift.allowed_grad_norm)}"
    if not drift.beyond:
        return f"no drift: loss changes by {loss}, gradient norm by {norm} ({allowed})"
    values = (
        f"loss {_moved(drift.losses, drift.loss)}, gradient norm {_moved(drift.grad_norms, drift.grad_norm)}, "
        f"step {drift.step}"
    )
    tokens = f"; predicted tokens {drift.tokens.old} -> {drift.tokens.new}" if drift.tokens else ""
    if changes.no_drift_because:
        return f"differs, but is not comparable ({changes.no_drift_because}): {values}{tokens}"
    word = "drifts, as allowed" if comparison.allow_drift else "DRIFTS"
    return f"{word}: {values}{tokens} ({allowed})"


def environment_words(pair: Pair) -> str:
    """In which packages the two environments differ; nothing where that is not known."""
    old, new = pair.old.environment.packages, pair.new.environment.packages
    if not old or not new:
        return ""
    names = sorted((name for name in {*old, *new} if old.get(name) != new.get(name)), key=_weight)
    if not names:
        return "no package differs"
    shown = [f"{name} {arrow(old.get(name, 'none'), new.get(name, 'none'))}" for name in names[:_SHOWN_PACKAGES]]
    if len(names) > _SHOWN_PACKAGES:
        return f"differs in {', '.join(shown)} and {len(names) - _SHOWN_PACKAGES} more"
    return f"differs only in {', '.join(shown)}"


def _weight(package: str) -> tuple[int, str]:
    """Packages that train come first, then the others by name."""
    return (_TRAINING.index(package) if package in _TRAINING else len(_TRAINING), package)


def _moved(values: Change[float], difference: float) -> str:
    old, new = numbers.aligned([values.old, values.new])
    return f"{old} -> {new} ({numbers.ratio(values.new, values.old, difference)})"


def notes(pair: Pair, comparison: Comparison) -> list[Note]:
    """What did not run and why; findings, those that are new or in both whole; and what weakens the comparison."""
    found = []
    for report, name in ((pair.old, comparison.old), (pair.new, comparison.new)):
        found += [_prefixed(note, where(comparison, name)) for note in not_run(report)]
    reasons = {note.text for report in (pair.old, pair.new) for note in not_run(report)}
    changes = pair.changes
    kinds = (("new", changes.findings_new, pair.new), ("in both", changes.findings_kept, pair.new))
    for kind, findings, report in kinds:
        found += [_prefixed(note_of(one, report), kind) for one in findings if one.summary not in reasons]
    for one in changes.findings_gone:
        if one.summary not in reasons:
            gone = note_of(one, pair.old)
            found.append(Note("ignore", gone.labels, f"gone: {gone.text}"))
    return [*found, *(Note("ignore", "", text) for text in changes.notes)]


def _prefixed(note: Note, prefix: str) -> Note:
    return replace(note, text=f"{prefix}: {note.text}")


def conclusion(pair: Pair, comparison: Comparison) -> Conclusion:
    """The result of one pair."""
    in_new, in_old = where(comparison, comparison.new), where(comparison, comparison.old)
    changes, meaning = pair.changes, "divergence"
    if changes.broken:
        text = f"fails {in_new}, not {in_old}"
        if changes.verdict.old == "fail":
            larger = [f"{split}: {why}" for split, why in changes.worse.items() if why != "fails"]
            text = f"{'worse' if larger else 'more splits fail'} {in_new} than {in_old}"
            text += f" ({few(larger)})" if larger else ""
        text += _named(pair.new)
    elif pair.new.exit_code == 1:
        text = f"fails in both, not a regression{_named(pair.new)}"
        if changes.loss_rule.changed or changes.gradient_rule.changed:
            text = f"fails in both, with another rule{_named(pair.new)}, before: {RulePair.of(pair.old)}"
    elif changes.drifts and not comparison.allow_drift:
        text = f"the reference drifts: the same weights and data give a different loss or gradient {in_new}"
        meaning = "drift"
    elif changes.undecided:
        text, meaning = _undecided(pair, comparison), "undecided"
    elif changes.missing and not comparison.allow_missing:
        text, meaning = f"no result {in_new} for {', '.join(changes.missing)}", "undecided"
    elif pair.old.exit_code == 1:
        text = f"fails {in_old}, not {in_new}{_named(pair.old)}"
    else:
        text = "passes in both, with warnings" if pair.new.verdict == "warn" else "passes in both"
        text += "; the reference drifts, as allowed" if changes.drifts else ""
        text += f"; no result {in_new} for {', '.join(changes.missing)}, as allowed" if changes.missing else ""
    tone, word = _VERDICTS[pair.exit_code]
    if pair.exit_code == 0 and pair.new.exit_code == 1:
        tone, word = "warn", "no worse"
    meaning = f": {meaning}" if pair.exit_code else ""
    return Conclusion(tone, word, text, f"exit code {pair.exit_code}{meaning}", wraps=True)


def _undecided(pair: Pair, comparison: Comparison) -> str:
    sides = ((pair.old, comparison.old), (pair.new, comparison.new))
    wanting = [where(comparison, name) for report, name in sides if report.exit_code == 3]
    other = [f"{report.verdict} {where(comparison, name)}" for report, name in sides if report.exit_code != 3]
    return f"this check did not finish {' nor '.join(wanting)}" + (f"; {', '.join(other)}" if other else "")


def _named(report: Report) -> str:
    """The rules that a failing report names, after a colon; nothing where it names none."""
    rules = RulePair.of(report)
    return f": {rules}" if rules.loss or rules.gradient else ""


def outcome(pair: Pair, comparison: Comparison) -> str:
    """What becomes of one pair, in a word: a key of `_OUTCOMES`."""
    if pair.exit_code == 1:
        if pair.changes.broken:
            return "worse"
        return "fails" if comparison.strict and pair.new.exit_code == 1 else "drift"
    if pair.exit_code:
        return "undecided"
    return "as before" if pair.new.exit_code == 1 else "passes"


def overall(comparison: Comparison) -> Conclusion:
    """The result of all pairs together."""
    if len(comparison.pairs) == 1:
        return conclusion(comparison.pairs[0], comparison)
    of, code = Counter(outcome(pair, comparison) for pair in comparison.pairs), comparison.exit_code
    parts = [f"{of[name]} {one if of[name] == 1 else more}" for name, (one, more) in _OUTCOMES.items() if of[name]]
    tone, word = _VERDICTS[code]
    text = f"{len(comparison.pairs)} configurations: {', '.join(parts)}"
    return Conclusion(tone, word, text, f"exit code {code}", wraps=True)


def in_full(comparison: Comparison) -> Sequence[Pair]:
    """The pairs that are shown in full: the only one, or of several those with a result to look at."""
    if len(comparison.pairs) == 1:
        return comparison.pairs
    return [pair for pair in comparison.pairs if pair.exit_code or pair.changes.drifts]
