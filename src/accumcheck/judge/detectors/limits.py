"""What was not looked at, or not as it is in training: said, so that a pass is not read as more than it is."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.record import Finding

SWITCHED_OFF = "switched_off"
"""Among a program's training arguments: what adds noise, and was switched off for the check."""
NOISE = ("neftune_noise_alpha",)


def noise_switched_off(judged: Judged) -> Iterator[Detected]:
    """Noise that the training arguments ask for, and that was left out."""
    arguments = judged.seen.check.training_arguments
    asked = [f"{name}: {arguments[name]}" for name in NOISE if arguments.get(name) is not None]
    asked += [
        str(one.training_arguments[SWITCHED_OFF]) for one in judged.seen.good if SWITCHED_OFF in one.training_arguments
    ]
    if asked:
        yield Detected(
            Finding(
                id="noise-switched-off",
                severity="warn",
                splits=(),
                summary=f"random noise was switched off for the check: {asked[0]}",
                explanation="Noise that is drawn anew in every forward pass is different under every split by design; "
                "everything else was compared without it.",
            )
        )


def only_first_training(judged: Judged) -> Iterator[Detected]:
    """A program that trains more than once."""
    reference = judged.seen.reference
    if reference is not None and reference.trains_again:
        yield Detected(
            Finding(
                id="only-first-training",
                severity="warn",
                splits=(),
                summary="the program trains more than once; only the first training was checked",
                explanation="Another Trainer began to train after the first had ended.",
                advice="Check the others on their own, for example with stack: callable and a function for each.",
            )
        )
