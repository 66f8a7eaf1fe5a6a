"""Rows of a program: steps that were not fed the control's rows, and rows whose contents depend on the split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.judge.detectors.row_words import advice, causes, content_words, step_words
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.fed_rows import SplitRows, StepRows
from accumcheck.judge.verdict import diverges, finite
from accumcheck.record import Finding, Severity, Split
from accumcheck.record.rule import UNEXPLAINED, Rule

FEWER_STEPS = "The data end earlier than under the control: whole steps are left out."
_SHOWN = 3
"""Number of splits listed with details."""


def other_rows(seen: Evidence) -> Iterator[Detected]:
    """One finding per kind of fault; a split that only has another order of rows is reported elsewhere."""
    kinds: dict[tuple[str, ...], dict[Split, SplitRows]] = {}
    for split, rows in seen.fed.items():
        if split in seen.condemned:  # because it steps at the wrong micro-batches
            continue
        if (rows.wrong and not rows.reordered) or rows.made < rows.due:
            kinds.setdefault(causes(rows.wrong) or (FEWER_STEPS,), {})[split] = rows
    for of, splits in kinds.items():
        finding = Finding(
            id="samples-differ",
            severity="fail",
            splits=tuple(map(str, splits)),
            summary=f"not fed the control's rows: {_details(splits)}",
            explanation=" ".join(of) + " Rows are counted from 0, in the order in which the control was fed them.",
            consequence=(
                "Losses and gradients of different samples cannot be compared. "
                "Fix this first; other findings are unreliable until then."
            ),
            advice=advice(rows for split in splits.values() for rows in split.wrong),
        )
        yield Detected(finding, {split: rule_of(rows.wrong) for split, rows in splits.items()})


def padded_rows(seen: Evidence) -> Iterator[Detected]:
    """Splits that are padded differently from the control and give another result, if single rows explain nothing.

    A loss that compares the rows of a micro-batch would look the same; different rows are the more likely cause.
    """
    reference = seen.reference
    if reference is None or not (reference.not_judged and reference.batched):
        return
    splits = {
        split: rows
        for split, rows in seen.fed.items()
        if split not in seen.condemned and any(step.soft for step in rows.steps) and _is_apart(seen, split)
    }
    if splits:
        yield Detected(_finding(splits, harmful=True), condemned=dict.fromkeys(splits, UNEXPLAINED))


def rule_of(steps: Sequence[StepRows]) -> Rule:
    """The rule of a split that was fed other rows in these steps; without steps: of one that made fewer steps."""
    if not steps:
        return Rule("dropped-samples")
    if any(step.repeated for step in steps):
        return Rule("duplicated-samples")
    only_fewer = not any(step.hard or step.elsewhere or step.unknown for step in steps)
    return Rule("dropped-samples") if only_fewer and any(step.missing for step in steps) else UNEXPLAINED


def changed_rows(judged: Judged) -> Iterator[Detected]:
    """Rows that differ in padding without a mask, or in a constant: a failure only if that changes the result."""
    seen = judged.seen
    changed = {
        split: rows
        for split, rows in seen.fed.items()
        if split not in seen.condemned and any(step.soft for step in rows.steps)
    }
    for harmful in (True, False):
        splits = {split: rows for split, rows in changed.items() if _is_changed(judged, split) == harmful}
        if splits:
            yield Detected(_finding(splits, harmful=harmful), accounts_for=frozenset(splits if harmful else ()))


def _is_changed(judged: Judged, split: Split) -> bool:
    """Whether a split's result differs in a way that no weights of the control's rows explain."""
    result = next((one for one in judged.results if one.split == split), None)
    if result is None or not all(finite(step) for step in result.steps):
        return False
    if split in judged.accounted:  # the model returned the same for these rows
        return False
    if result.verdict != "fail" or not _is_apart(judged.seen, split):
        return False
    rule = judged.explanation.gradient_of(split)
    return (rule is None or not rule.is_formula) and not _is_made_of_rows(judged, split)


def _is_apart(seen: Evidence, split: Split) -> bool:
    return any(any(diverges(step.vs_control, seen.tolerances)) for step in seen.records.get(split, ()))


def _is_made_of_rows(judged: Judged, split: Split) -> bool:
    """Whether every step's gradient is a combination of the step's rows, with any weights."""
    found = [step.of[split] for step in judged.seen.recovered if split in step.of]
    return bool(found) and all(one.residual <= judged.seen.tolerances.gradient for one in found)


def _finding(splits: Mapping[Split, SplitRows], *, harmful: bool) -> Finding:
    severity: Severity = "fail" if harmful else "warn"
    effect = (
        "Loss or gradient differ from the control's, and no weighting rule explains that."
        if harmful
        else "Loss and gradient do not depend on it here."
    )
    return Finding(
        id="rows-differ",
        severity=severity,
        splits=tuple(map(str, splits)),
        summary=f"fed the control's rows with different contents: {_details(splits)}",
        explanation=f"The content of a row depends on its micro-batch. {effect}",
        consequence="A sample's loss depends on its neighbours in the micro-batch." if harmful else "",
        advice="Give the model an attention_mask that hides padding, and labels of -100 there.",
    )


def _details(splits: Mapping[Split, SplitRows]) -> str:
    """What differs in the first step with a difference, split by split; how many more steps there are."""
    parts = [f"{split}: {_detail(rows)}" for split, rows in list(splits.items())[:_SHOWN]]
    more = len(splits) - _SHOWN
    return "; ".join(parts) + (f"; and {more} more split{'s' * (more > 1)}" if more > 0 else "")


def _detail(rows: SplitRows) -> str:
    said = []
    steps = rows.wrong or rows.steps
    if steps:
        first, more = steps[0], len(steps) - 1
        words = step_words(first) if first.others else content_words(first.soft)
        said.append(
            f"in step {first.step} {words}{f' (and in {more} more step' + 's' * (more > 1) + ')' if more else ''}"
        )
    if rows.made < rows.due:
        said.append(f"{rows.made} optimizer step{'s' * (rows.made != 1)} instead of {rows.due}")
    return ", ".join(said)
