"""Faults that no weighting describes: other samples, processes that disagree, a log that is not the gradient."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from accumcheck.judge import findings as say
from accumcheck.judge.compare import process_spread, samples_of
from accumcheck.judge.epochs import Windows, others_finding, padding_finding, windows_finding
from accumcheck.judge.rules import UNEXPLAINED
from accumcheck.record import Finding, ReferenceObservation, Split, SplitObservation, StepObservation, Tolerances


def structural_faults(
    good: Sequence[SplitObservation],
    reference: ReferenceObservation | None,
    tolerances: Tolerances,
    windows: Mapping[Split, Windows],
    found: list[Finding],
) -> dict[Split, str]:
    """Look for them in every split; adds to ``found``. With whole epochs, ``windows`` has what each step is made of.

    Returns:
        The splits that fail for it, with what to call their gradient.
    """
    faulty: dict[Split, str] = {}
    strange: dict[str, list[str]] = {}
    torn: dict[str, list[str]] = {}
    padded: dict[Split, int] = {}
    elsewhere: list[Split] = []
    apart: dict[str, float] = {}
    misreported: dict[str, float] = {}
    for split in good:
        made = windows.get(split.split)
        if made is not None and made.fault:
            faulty[split.split] = made.rule
            torn.setdefault(made.fault, []).append(str(split.split))
        if made is not None and made.others:
            elsewhere.append(split.split)
        if made is not None and made.padding:
            padded[split.split] = max(made.padding.values())
        for position, step in enumerate(split.steps):
            due = reference.membership[position] if reference and position < len(reference.membership) else None
            words = "" if split.split in windows else _sample_fault(step, due, split.split)
            if words:
                strange.setdefault(words, [])
                if str(split.split) not in strange[words]:
                    strange[words].append(str(split.split))
                faulty.setdefault(split.split, _sample_rule(step, split.split.global_batch_size))
            spread = process_spread(step)
            if not spread <= tolerances.gradient and not math.isnan(spread):
                apart[str(split.split)] = max(spread, apart.get(str(split.split), 0.0))
                faulty[split.split] = "unsynchronised"
            logged = step.logged_grad_norm
            if logged is not None and math.isfinite(logged) and step.grad_norms[0] > 0:
                off = abs(logged - step.grad_norms[0]) / step.grad_norms[0]
                if off > max(tolerances.grad_norm, 1e-4):
                    misreported[str(split.split)] = max(off, misreported.get(str(split.split), 0.0))
    found += [say.samples_finding(splits, words) for words, splits in strange.items()]
    found += [windows_finding(splits, words) for words, splits in torn.items()]
    if elsewhere:
        found.append(others_finding(elsewhere))
    if padded:
        found.append(padding_finding(list(padded), max(padded.values())))
    if apart:
        found.append(say.unsynchronised_finding(list(apart), max(apart.values())))
    if misreported:
        found.append(say.logged_norm_finding(list(misreported), max(misreported.values())))
    return faulty


def _sample_fault(step: StepObservation, members: Sequence[int] | None, split: Split) -> str:
    """What is wrong with the samples that a step was fed, or nothing."""
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
        return f"step {step.step} was fed other samples than the reference step ({len(missing)} of {size} differ)"
    return ""


def _sample_rule(step: StepObservation, size: int) -> str:
    """What to call the gradient of a step that was fed the wrong samples."""
    fed = Counter(samples_of(step))
    if any(times > 1 for times in fed.values()):
        return "duplicated-samples"
    return "dropped-samples" if len(fed) < size else UNEXPLAINED
