"""Which samples belong to which optimizer step, derived from what a split was fed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from accumcheck.record import MicroBatch, Split
from accumcheck.runfolder.steps import read_steps, read_unapplied


def drawn_order(folder: Path) -> list[list[int]]:
    """The samples of each step of a split that has ended, in the order drawn; -1 for an unknown row.

    Micro-batch j goes to process j % n, as torch's samplers distribute them.

    Args:
        folder: the split's, named after it.

    Raises:
        ValueError: the folder's name is not a split, or a file has other contents.
        FileNotFoundError: the split failed.
    """
    views = [read_steps(folder, process) for process in range(Split.parse(folder.name).num_processes)]
    return [_dealt(view.micro_batches for view in step) for step in zip(*views, strict=False)]


def unapplied_order(folder: Path) -> list[int]:
    """The samples that a split was fed after its last step, in the same form."""
    return _dealt(read_unapplied(folder, process) for process in range(Split.parse(folder.name).num_processes))


def global_batches(
    steps: Sequence[Sequence[int]], rest: Sequence[int], *, size: int, samples: int, epochs: int
) -> list[list[int]]:
    """The steps that whole epochs should have: each takes the next ``size`` samples, the last of an epoch the rest.

    Args:
        steps: what each step was fed, in the order drawn.
        rest: what came after the last step.
        size: of a global batch.
        samples: size of the data set; each sample comes once in an epoch.
        epochs: their number.
    """
    found = []
    for epoch in _epochs([*chain(*steps), *rest], samples, epochs):
        # samples that were never fed belong to the end of the epoch
        whole = [*epoch, *sorted(set(range(samples)) - set(epoch))]
        found += [whole[start : start + size] for start in range(0, samples, size)]
    return found


def _epochs(order: Sequence[int], samples: int, epochs: int) -> list[list[int]]:
    """Cut the samples into epochs, without the repetitions with which a data loader fills the last micro-batch."""
    length, uneven = divmod(len(order), epochs)
    if not uneven and length >= samples:
        return [list(order[epoch * length : epoch * length + samples]) for epoch in range(epochs)]
    found: list[list[int]] = [[]]
    for sample in order:
        if sample in found[-1]:
            found.append([])
        found[-1].append(sample)
    return [*found, *([] for _ in range(epochs))][:epochs]


def _dealt(processes: Iterable[Sequence[MicroBatch]]) -> list[int]:
    """The samples of all processes, one micro-batch of each process after the other."""
    turns = zip_longest(*processes, fillvalue=None)
    return [sample for turn in turns for batch in turn if batch is not None for sample in batch.samples]
