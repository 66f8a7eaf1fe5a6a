"""What was not looked at, or not as it is in training: said, so that a pass is not read as more than it is."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.judge.detectors.parameters import listed
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


def random_collators(judged: Judged) -> Iterator[Detected]:
    """Collators that draw random numbers, which were made the same in every split."""
    names = [name for one in judged.seen.good if one.program is not None for name in one.program.random_collators]
    if names:
        yield Detected(
            Finding(
                id="random-collator",
                severity="warn",
                splits=(),
                summary=f"random numbers of {listed(list(dict.fromkeys(names)))} were drawn from each row's content",
                explanation="Drawn for a micro-batch they would make other rows of the data under every split. All "
                "else was compared as it is.",
            )
        )


def loss_not_reported(judged: Judged) -> Iterator[Detected]:
    """A loop of the user's that says no loss: its gradients were compared, and what its log shows was not."""
    good = judged.seen.good
    if judged.seen.check.runs_program and good and all(step.loss is None for one in good for step in one.steps):
        yield Detected(
            Finding(
                id="loss-not-reported",
                severity="ignore",
                splits=(),
                summary="the program reported no loss, so that only gradients were compared",
                explanation="A training loop has no log that could be read.",
                advice=(
                    "To have the loss compared that your log shows, call it once for each optimizer step: from "
                    "accumcheck import report_loss; report_loss(loss). Outside of a check it does nothing."
                ),
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


def added_before_steps(judged: Judged) -> Iterator[Detected]:
    """What the program adds to every gradient by itself, the same in each step of the control."""
    if judged.seen.added > 0:
        yield Detected(
            Finding(
                id="added-to-gradient",
                severity="warn",
                splits=(),
                summary=(
                    "something is added to the gradient between the last backward pass and the optimizer's step, the "
                    f"same in every step of the control ({judged.seen.added:.2g} of the gradient's norm)"
                ),
                explanation=(
                    "With weights held still a weight decay that the program adds by itself looks like that. Splits "
                    "were compared with it."
                ),
            )
        )


def parameters_not_tested(judged: Judged) -> Iterator[Detected]:
    """Parameters whose true gradient is exactly zero, though the loss depends on them: a fault in them cannot show.

    Those that the loss does not depend on are in the report's list, too, but no warning: none should have a gradient.
    """
    reference, control = judged.seen.reference, judged.seen.control
    trained = next((one.trained for one in judged.seen.good if one.split == control), None)
    lacking = trained.lacking if trained is not None else ()  # has a finding of its own
    unused = reference.unused if reference is not None else ()
    if trained is not None:
        unused = (*unused, *trained.untouched)
    names = [name for name in judged.seen.not_tested if name not in lacking and name not in unused]
    if names:
        are, them, whose = ("is", "it", "its") if len(names) == 1 else ("are", "them", "their")
        yield Detected(
            Finding(
                id="parameters-not-tested",
                severity="warn",
                splits=(),
                summary=f"{listed(names)} {are} not tested: {whose} true gradient is exactly zero here",
                explanation=(
                    f"The loss depends on {them}, but at these weights every sample's gradient is 0, as behind an "
                    "adapter or a gate that starts at zero: a fault could not show, whatever it multiplies."
                ),
                advice="Start the check from weights at which these gradients are not zero, for example after a few "
                "steps of training.",
            )
        )
