"""Whole epochs: the samples of each optimizer step, compared with those it should have had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from accumcheck.judge.measure.compare import samples_of
from accumcheck.record import SplitObservation
from accumcheck.record.rule import UNEXPLAINED, Rule


@dataclass(frozen=True)
class Windows:
    """How one split divided the epochs into steps.

    ``padding``: for a step (counted from 0), how many samples a data loader repeated to fill its micro-batches;
    ``others``: steps that were fed a whole global batch, but not the control's;
    ``fault``: what else is wrong, in words, or empty; ``rule``: the rule of its gradients then.
    """

    padding: dict[int, int] = field(default_factory=dict)
    others: frozenset[int] = frozenset()
    fault: str = ""
    rule: Rule = UNEXPLAINED

    @property
    def off_control(self) -> frozenset[int]:
        """The steps that cannot be compared with the control's, since their samples differ."""
        return self.others | frozenset(self.padding)


def windows_of(split: SplitObservation, membership: Sequence[Sequence[int]], samples: int, epochs: int) -> Windows:
    """Compare the steps of a split with the samples that each should have (``membership``)."""
    per_epoch = len(membership) // epochs
    fed = [samples_of(step) for step in split.steps]
    if len(fed) == len(membership):
        at_once = split.split.replicas * split.split.per_device_train_batch_size
        padding = [_padding(fed[step], membership, step, per_epoch, at_once) for step in range(len(fed))]
        if None not in padding:
            return Windows(padding={step: more for step, more in enumerate(padding) if more})
    words = []
    if len(fed) != len(membership):
        words.append(f"{len(fed)} optimizer steps were made, {len(membership)} were expected")
    made, due = ", ".join(str(len(one)) for one in fed), ", ".join(str(len(one)) for one in membership)
    if made != due:
        words.append(f"they had {made} samples, expected {due} in {epochs} epochs of {samples}")
    if not words:
        words.append("its steps were fed different samples from those of the control")
    words += [
        f"step {step} mixes the end of epoch {epoch} with the beginning of the next" for step, epoch in _mixed(fed)
    ]
    lost = samples * epochs - sum(map(len, fed))
    if lost > 0:
        seen = sum(len(batch.samples) for batch in split.unapplied)
        how = f", {seen} of which were trained on after the last step" if seen else ""
        words.append(f"{lost} samples never reached the optimizer{how}")
    return Windows(fault="; ".join(words), rule=Rule("dropped-samples") if lost > 0 else UNEXPLAINED)


def _padding(
    fed: Sequence[int], membership: Sequence[Sequence[int]], step: int, per_epoch: int, at_once: int
) -> int | None:
    """How many repeated samples a step was fed to fill the last micro-batches; None if its samples differ otherwise."""
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
    """Steps, from 1, with samples of two epochs, and the first of the two; a sample's n-th use is in epoch n."""
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
    """Whether some step had fewer than ``k`` micro-batches."""
    due = split.split.gradient_accumulation_steps * split.split.replicas
    return any(len(step.micro_batches) < due for step in split.steps)
