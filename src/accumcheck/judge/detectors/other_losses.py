"""Splits in which a program's loss does something else to a row than in the control, seen at the model's outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.judge.measure.at_outputs import AtOutputs, at_outputs
from accumcheck.record import Finding, Severity, Split

_SHOWN = 4


def other_losses(judged: Judged) -> Iterator[Detected]:
    """Name the outputs whose loss has other weights, or another loss, in splits that no rule explains."""
    targets, weights = {}, {}
    for split, seen in _compared(judged).items():
        if not seen.rows.equal.all():  # the model itself gave something else
            continue
        if seen.elsewhere.any():
            targets[split] = seen
        elif not seen.is_one_weight:  # otherwise these are weights of rows
            weights[split] = seen
    if targets:
        yield Detected(_other_targets(targets, judged), accounts_for=frozenset(targets))
    if weights:
        yield Detected(_other_weights(weights, judged), accounts_for=frozenset(weights))


def _compared(judged: Judged) -> dict[Split, AtOutputs]:
    """The first step of each failing split that no rule explains, if it was seen that rows are not mixed."""
    reference, control = judged.seen.reference, judged.seen.control
    first = next((one for one in judged.seen.good if one.split == control), None)
    if reference is None or reference.unmixed is None or first is None:
        return {}
    found = {}
    for result in judged.results:
        observed = next((one for one in judged.seen.good if one.split == result.split), None)
        rule = judged.explanation.gradient_of(result.split)
        if observed is None or result.split == control or result.split in judged.accounted:
            continue
        if result.verdict not in ("fail", "warn") or (rule is not None and rule.is_formula):
            continue
        seen = at_outputs(observed, first, 0, reference.model.dtype)
        if seen is not None and not (seen.rows.times == 0).any():  # a row that is left out is found elsewhere
            found[result.split] = seen
    return found


def _other_targets(splits: Mapping[Split, AtOutputs], judged: Judged) -> Finding:
    parts = []
    for split, seen in splits.items():
        wrong = seen.elsewhere
        names = [_name(name) for at, name in enumerate(seen.names) if wrong[:, at].any()]
        parts.append(f"{int(wrong.any(axis=1).sum())} of {len(wrong)} rows in {split}, at {_listed(names)}")
    return Finding(
        id="targets-differ",
        severity=_severity(splits, judged),
        splits=tuple(map(str, splits)),
        summary=f"the loss has another derivative at the model's outputs than under the control: {'; '.join(parts)}",
        explanation=(
            "The model was fed the same rows and returned the same outputs, but the loss has another derivative there, "
            "not only another weight. In micro-batches of other sizes the control's rows do have the same derivative, "
            "so neighbours are not the reason: labels (targets), the balance of terms on one output, or the loss "
            "itself change with the split."
        ),
        consequence="Splits are trained for different targets.",
        advice="Look where the loop makes its labels, masks or teacher's outputs, and what they take from the split.",
    )


def _other_weights(splits: Mapping[Split, AtOutputs], judged: Judged) -> Finding:
    own = any(len(set(seen.by_micro_batch(at) or ())) > 1 for seen in splits.values() for at in range(len(seen.names)))
    return Finding(
        id="output-weights",
        severity=_severity(splits, judged),
        splits=tuple(map(str, splits)),
        summary=f"terms of the loss have other weights than under the control: {_told(splits)}",
        explanation=(
            "The loss has terms with denominators of their own. Each output of the model shows the weight of its term, "
            "row by row, relative to the control."
            + " All rows of a micro-batch have the same factor, and other micro-batches have another one: the term is "
            "divided by a count of its own micro-batch." * own
        ),
        consequence="The balance between the terms of the loss depends on the split.",
        advice="Divide each term by its count in the whole window, over all micro-batches and processes.",
    )


def _told(splits: Mapping[Split, AtOutputs]) -> str:
    return "; ".join(_weights(split, seen) for split, seen in splits.items())


def _weights(split: Split, seen: AtOutputs) -> str:
    """The factors of one split, output by output."""
    parts = []
    for at, name in enumerate(seen.names):
        known = seen.factors(at)[np.isfinite(seen.factors(at))]
        batches = seen.by_micro_batch(at)
        if not len(known):
            continue
        if seen.is_one(known):
            right = seen.is_one([float(known.mean()), 1.0])
            parts.append(f"at {_name(name)} {'as in the control' if right else f'{known.mean():.3g} times'}")
        elif batches is not None:
            told = ", ".join(f"{one:.3g}" for one in batches[:_SHOWN]) + ", ..." * (len(batches) > _SHOWN)
            parts.append(f"at {_name(name)} {told} times, by micro-batch")
        else:
            parts.append(f"at {_name(name)} {known.min():.3g} to {known.max():.3g} times, by row")
    return f"in {split} {' and '.join(parts)}"


def _severity(splits: Mapping[Split, AtOutputs], judged: Judged) -> Severity:
    verdicts = {one.verdict for one in judged.results if one.split in splits}
    return "fail" if "fail" in verdicts else "warn"


def _name(output: str) -> str:
    """``output 1``, ``logits``, ``the output of forward 2``."""
    first, _, rest = output.partition(" ")
    words = "the output" if first == "output" else f"output {first}" if first.isdigit() else first
    return f"{words} {rest}".strip()


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
