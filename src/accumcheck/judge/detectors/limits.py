"""Reports what was not checked, or differs from training, so that a pass is not overrated."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.judge.detectors.parameters import listed
from accumcheck.record import Finding

SWITCHED_OFF = "switched_off"
"""Training arguments of a program that add noise, switched off for the check."""
NOISE = ("neftune_noise_alpha",)


def noise_switched_off(judged: Judged) -> Iterator[Detected]:
    """Noise in the training arguments that was switched off."""
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
                explanation="Noise that is drawn in every forward pass is different under every split by design; "
                "everything else was compared without it.",
            )
        )


def random_collators(judged: Judged) -> Iterator[Detected]:
    """Collators whose random numbers were made the same in every split."""
    names = [name for one in judged.seen.good if one.program is not None for name in one.program.random_collators]
    if names:
        yield Detected(
            Finding(
                id="random-collator",
                severity="warn",
                splits=(),
                summary=f"random numbers of {listed(list(dict.fromkeys(names)))} were drawn from each row's content",
                explanation="Drawn per micro-batch, they would make different rows under every split. Everything "
                "else was compared unchanged.",
            )
        )


def loss_not_reported(judged: Judged) -> Iterator[Detected]:
    """A user's loop that reports no loss: its gradients were compared, but not the loss in its log."""
    good = judged.seen.good
    if judged.seen.check.runs_program and good and all(step.loss is None for one in good for step in one.steps):
        yield Detected(
            Finding(
                id="loss-not-reported",
                severity="ignore",
                splits=(),
                summary="the program reported no loss, so only gradients were compared",
                explanation="A training loop has no log that accumcheck can read.",
                advice=(
                    "To compare the loss in your log as well, call this once per optimizer step: from "
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
                advice="Check the others separately, for example with stack: callable and a function for each.",
            )
        )


def added_before_steps(judged: Judged) -> Iterator[Detected]:
    """A vector that the program itself adds to every gradient, the same in each step of the control."""
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
                    "With fixed weights, a weight decay that the program adds itself looks like this. Splits "
                    "were compared including it."
                ),
            )
        )


def changed_before_steps(judged: Judged) -> Iterator[Detected]:
    """A program that changes its gradients in its own way before each step of the control."""
    if judged.seen.changed > 0:
        yield Detected(
            Finding(
                id="changed-gradient",
                severity="warn",
                splits=(),
                summary=(
                    "the gradient that is applied is not the sum of the backward passes, not even under the control "
                    f"(off by {judged.seen.changed:.2g} of its norm in step 1)"
                ),
                explanation=(
                    "The backward passes are right. The program then changes the gradient by itself, for example by "
                    "clipping or normalising each layer. Splits were compared with the control including it."
                ),
                advice="Check that this is intended; a fault that every split shares would look the same.",
            )
        )


def parameters_not_tested(judged: Judged) -> Iterator[Detected]:
    """Parameters whose true gradient is exactly zero although the loss depends on them: a fault in them cannot show.

    Parameters that the loss does not depend on are in the report's list as well, but cause no warning.
    """
    reference, control = judged.seen.reference, judged.seen.control
    trained = next((one.trained for one in judged.seen.good if one.split == control), None)
    lacking = trained.lacking if trained is not None else ()  # has a separate finding
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
                    "adapter or a gate that starts at zero: no fault in a factor could show."
                ),
                advice="Start the check from weights at which these gradients are not zero, for example after a few "
                "steps of training.",
            )
        )
