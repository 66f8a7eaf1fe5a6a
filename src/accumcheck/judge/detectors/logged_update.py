"""What a Trainer's log says of its updates, or leaves out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from accumcheck.judge.detectors.asked_clipping import DEFAULT
from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, Split, SplitObservation, StepObservation

CLOSEST = 1e-6
"""A rate is logged in double precision. A larger relative difference is not caused by rounding."""


def misreported_rate(seen: Evidence) -> Iterator[Detected]:
    """A warning: the log shows another learning rate than the one that a step used."""
    found: dict[Split, str] = {}
    for split in seen.good:
        if split.belief is None or not split.belief.logs_own_rate:
            continue
        for step in split.steps:
            logged, used = step.logged_learning_rate, step.learning_rates[:1]
            if logged is not None and used and not math.isclose(logged, used[0], rel_tol=CLOSEST):
                found.setdefault(
                    split.split, f"{logged:.6g} at step {step.step} of {split.split}, which uses {used[0]:.6g}"
                )
    if found:
        yield _warning(
            "logged-learning-rate",
            found,
            f"the logged learning_rate is not the one that the step uses: {next(iter(found.values()))}",
            "The log does not show the schedule that is trained. The rate itself is compared with the control's.",
        )


def missing_numbers(seen: Evidence) -> Iterator[Detected]:
    """A warning: the log of a Trainer has a loss, and lacks what every release logs with it."""
    if seen.check.runs_program:  # whose Trainer may log what it likes
        return
    clips = float(seen.check.training_arguments.get("max_grad_norm", DEFAULT) or 0.0) > 0
    yield from _missing(seen.good, "learning_rate", lambda step: step.logged_learning_rate is None)
    # some releases compute no norm if nothing is clipped
    logging = [split for split in seen.good if clips or (split.belief is not None and split.belief.logs_unclipped_norm)]
    yield from _missing(logging, "grad_norm", lambda step: step.logged_grad_norm is None)


def _missing(
    splits: Iterable[SplitObservation], name: str, lacks: Callable[[StepObservation], bool]
) -> Iterator[Detected]:
    found: dict[Split, str] = {}
    for split in splits:
        steps = [step.step for step in split.steps if step.loss is not None and lacks(step)]
        if steps and _of_trainer(split):
            found[split.split] = f"step {steps[0]} of {split.split}"
    if found:
        yield _warning(
            f"logged-{name.replace('_', '-')}",
            found,
            f"the log has a loss and no {name}: {next(iter(found.values()))}",
            f"Trainer logs {name} with every loss.",
        )


def _of_trainer(split: SplitObservation) -> bool:
    """Whether a Trainer has made its own updates, and logged them."""
    return split.belief is not None and any(step.learning_rates for step in split.steps)


def _warning(name: str, splits: dict[Split, str], summary: str, explanation: str) -> Detected:
    return Detected(
        Finding(
            id=name,
            severity="warn",
            splits=tuple(map(str, splits)),
            summary=summary,
            explanation=explanation,
            consequence="What is seen in the log of a training run is not what it does.",
            advice="Read the learning rate and the norm from this report.",
        )
    )
