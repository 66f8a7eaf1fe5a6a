"""Steps that were not fed the global batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.compare import samples_of
from accumcheck.record import Finding, Split, StepObservation
from accumcheck.record.rule import UNEXPLAINED, Rule


def wrong_samples(seen: Evidence) -> Iterator[Detected]:
    """One finding per fault in the samples of steps; whole epochs are checked elsewhere."""
    strange: dict[str, list[Split]] = {}
    rules: dict[Split, Rule] = {}
    for split in seen.good:
        if split.split in seen.windows or seen.check.runs_program:  # a program's rows are compared with each other
            continue
        for position, step in enumerate(split.steps):
            if words := _fault(step, _due(seen, position), split.split):
                strange.setdefault(words, [])
                if split.split not in strange[words]:
                    strange[words].append(split.split)
                rules.setdefault(split.split, _rule(step, split.split.global_batch_size))
    for words, splits in strange.items():
        yield Detected(samples_finding(splits, words), {split: rules[split] for split in splits})


def samples_finding(splits: Sequence[Split], details: str) -> Finding:
    """Splits whose steps were not fed the same samples."""
    return Finding(
        id="samples-differ",
        severity="fail",
        splits=tuple(map(str, splits)),
        summary=f"not fed the global batch: {details}",
        explanation="One optimizer step must see the same samples under every split.",
        consequence=(
            "Losses and gradients of different samples cannot be compared. "
            "Fix this first; other findings are unreliable until then."
        ),
        advice="Compare the order of the data: seeds, shuffling, samplers, drop_last.",
    )


def _due(seen: Evidence, position: int) -> Sequence[int] | None:
    membership = seen.reference.membership if seen.reference is not None else ()
    return membership[position] if position < len(membership) else None


def _fault(step: StepObservation, members: Sequence[int] | None, split: Split) -> str:
    """What is wrong with the samples of a step; empty if nothing is."""
    fed = Counter(samples_of(step))
    size = split.global_batch_size
    unknown, total = fed.pop(-1, 0), sum(fed.values())
    if unknown:
        return f"step {step.step} was fed {unknown} rows that are not in the data"
    if total != size:
        return f"step {step.step} was fed {total} samples, the global batch has {size}"
    if repeated := sorted(index for index, times in fed.items() if times > 1):
        return f"step {step.step} was fed sample {repeated[0]} {fed[repeated[0]]} times"
    if members is not None and set(fed) != set(members):
        missing = sorted(set(members) - set(fed))
        return f"step {step.step} was not fed the reference step's samples ({len(missing)} of {size} differ)"
    return ""


def _rule(step: StepObservation, size: int) -> Rule:
    """The rule of a step that was fed the wrong samples."""
    fed = Counter(samples_of(step))
    if any(times > 1 for times in fed.values()):
        return Rule("duplicated-samples")
    return Rule("dropped-samples") if len(fed) < size else UNEXPLAINED
