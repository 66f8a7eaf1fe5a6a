"""Whole epochs: what each optimizer step was made of, beside what it should have been made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from accumcheck.judge.compare import Truth, samples_of
from accumcheck.judge.rules import UNEXPLAINED
from accumcheck.record import Finding, ReferenceObservation, Split, SplitObservation, StepObservation


@dataclass(frozen=True)
class Windows:
    """What one split made of the epochs.

    ``padding``: for a step (counted from 0), how many samples a data loader repeated to fill its micro-batches;
    ``others``: steps that were fed a whole global batch, but not the control's;
    ``fault``: what is wrong otherwise, in words, or nothing; ``rule``: what to call its gradients then.
    """

    padding: dict[int, int] = field(default_factory=dict)
    others: frozenset[int] = frozenset()
    fault: str = ""
    rule: str = UNEXPLAINED

    @property
    def off_control(self) -> frozenset[int]:
        """The steps that cannot be compared with the control's, since their samples are others."""
        return self.others | frozenset(self.padding)


def windows_of(split: SplitObservation, membership: Sequence[Sequence[int]], samples: int, epochs: int) -> Windows:
    """Compare the steps of a split with the samples that each should have, ``membership``."""
    per_epoch = len(membership) // epochs
    fed = [samples_of(step) for step in split.steps]
    if len(fed) == len(membership):
        at_once = split.split.num_processes * split.split.per_device_train_batch_size
        padding = [_padding(fed[step], membership, step, per_epoch, at_once) for step in range(len(fed))]
        if None not in padding:
            return Windows(padding={step: more for step, more in enumerate(padding) if more})
    words = []
    if len(fed) != len(membership):
        words.append(f"{len(fed)} optimizer steps were made, and {len(membership)} were due")
    made, due = ", ".join(str(len(one)) for one in fed), ", ".join(str(len(one)) for one in membership)
    if made != due:
        words.append(f"their samples were {made}, and {due} were due in {epochs} epochs of {samples}")
    if not words:
        words.append("its steps were fed other samples than those of the control")
    words += [
        f"step {step} mixes the end of epoch {epoch} with the beginning of the next" for step, epoch in _mixed(fed)
    ]
    lost = samples * epochs - sum(map(len, fed))
    if lost > 0:
        seen = sum(len(batch.samples) for batch in split.unapplied)
        how = f", {seen} of which were trained on after the last step" if seen else ""
        words.append(f"{lost} samples never reached the optimizer{how}")
    return Windows(fault="; ".join(words), rule="dropped-samples" if lost > 0 else UNEXPLAINED)


def _padding(
    fed: Sequence[int], membership: Sequence[Sequence[int]], step: int, per_epoch: int, at_once: int
) -> int | None:
    """How many samples a step was fed beside its own, to fill the last micro-batches; None where it is otherwise."""
    more = Counter(fed)
    more.subtract(membership[step])
    if min(more.values()) < 0:
        return None
    extra = sum(more.values())
    first = step // per_epoch * per_epoch
    epoch = {sample for members in membership[first : step + 1] for sample in members}
    fills = (step + 1) % per_epoch == 0 and extra < at_once and +more <= Counter(dict.fromkeys(epoch, extra))
    return extra if extra == 0 or fills else None


def _mixed(fed: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Steps, counted from 1, with samples of two epochs, and the first of the two: the n-th time is the n-th epoch."""
    times: Counter[int] = Counter()
    found = []
    for step, samples in enumerate(fed, start=1):
        epochs = set()
        for sample in samples:
            times[sample] += 1
            epochs.add(times[sample])
        if len(epochs) > 1:
            found.append((step, min(epochs)))
    return found


def has_short_step(split: SplitObservation) -> bool:
    """Whether some step had fewer micro-batches than ``k``."""
    due = split.split.gradient_accumulation_steps * split.split.num_processes
    return any(len(step.micro_batches) < due for step in split.steps)


def other_batches(split: SplitObservation, membership: Sequence[Sequence[int]]) -> Windows | None:
    """The steps whose samples are a global batch of their own; None where some step was fed no global batch at all."""
    others = set()
    for position, (step, due) in enumerate(zip(split.steps, membership, strict=False)):
        fed = samples_of(step)
        if len(fed) != split.split.global_batch_size or -1 in fed or len(set(fed)) != len(fed):
            return None
        if sorted(fed) != sorted(due):
            others.add(position)
    return Windows(others=frozenset(others))


def fed_truth(reference: ReferenceObservation, step: StepObservation, alone: Truth) -> Truth:
    """The right answer for what a step was fed, where that is not what it is due: each counts as often as it was fed.

    The norm of the whole gradient is not known where only some of its entries are kept; then it is not compared.
    """
    fed = [index for index in samples_of(step) if index >= 0]
    tokens = reference.tokens[fed].astype(np.float64)
    shares = tokens / max(tokens.sum(), 1.0)
    gradient = np.asarray(shares @ reference.gradients[fed].astype(np.float64, copy=False))
    norm = float(np.linalg.norm(gradient)) if reference.coordinates.complete else None
    loss = float(shares @ reference.losses[fed])
    members = tuple(sorted(set(fed)))
    return replace(alone, loss=loss, grad_norm=norm, gradient=gradient, members=members, tokens=int(tokens.sum()))


def windows_finding(splits: Sequence[str], fault: str) -> Finding:
    """Splits whose optimizer steps are made of other samples than an epoch gives them."""
    return Finding(
        id="epoch-windows",
        severity="fail",
        splits=tuple(splits),
        summary=f"the end of an epoch is handled differently: {fault}",
        explanation=(
            "An epoch whose micro-batches are no multiple of k must end with one smaller optimizer step, under every "
            "split; here samples are left out or move into other steps, so that splits train on different batches."
        ),
        consequence="The number of optimizer steps, and with it the learning-rate schedule, depends on the split.",
        advice="Train on so many samples that they are a multiple of the global batch.",
    )


def padding_finding(splits: Sequence[Split], samples: int) -> Finding:
    """Splits whose data loader repeats samples to fill the last micro-batches of an epoch."""
    return Finding(
        id="padded-samples",
        severity="warn",
        splits=tuple(map(str, splits)),
        summary=f"the data loader repeats up to {samples} samples to fill the last micro-batches of an epoch",
        explanation=(
            "Processes are given micro-batches of equal size by repeating samples from the start of the epoch "
            "(accelerate's even_batches, torch's DistributedSampler), which trains on them twice in that epoch."
        ),
        advice="Train on a number of samples that n x b divides, or with dataloader_drop_last.",
    )


def others_finding(splits: Sequence[Split]) -> Finding:
    """Splits that a program feeds other samples than the control."""
    return Finding(
        id="samples-differ",
        severity="warn",
        splits=tuple(map(str, splits)),
        summary="fed other samples than the control in the same step: judged beside the reference alone",
        explanation=(
            "The order of the samples depends on the split: on the number of processes, on the micro-batch size, or on "
            "a seed that is not fixed. Each step was compared with what its own samples should give."
        ),
    )


def divisor_finding(splits: Sequence[Split]) -> Finding:
    """Splits that divide a window of fewer than k micro-batches by k."""
    return Finding(
        id="tail-divisor",
        severity="fail",
        splits=tuple(map(str, splits)),
        summary="the last step of an epoch has fewer than k micro-batches, and is divided by k all the same",
        explanation=("Its loss and gradient are m/k of what they should be, with m the micro-batches it really has."),
        consequence="The samples at the end of every epoch count less, the more so the larger k is.",
        advice="Train on so many samples that they are a multiple of the global batch.",
    )
