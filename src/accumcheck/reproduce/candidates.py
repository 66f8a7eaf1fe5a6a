"""The splits that may show a fault, the smallest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from accumcheck.record import Split
from accumcheck.record.rule import Rule

LARGEST = 8
"""The number of rows of the largest batch that is tried."""
_NEEDS = {"microbatch-mean": ("nk",), "device-mean": ("n",), "unshifted-device-mean": ("n",), "sample-mean": ("nkb",)}
"""For each base, the numbers of which one must be above 1, so that it differs from token-mean."""


def candidates(rules: Iterable[Rule], shown_in: Iterable[Split]) -> Iterator[Split]:
    """The splits in which all of these rules have the same effect as in a split of the finding, the smallest first.

    Args:
        rules: the wrong rules of the finding.
        shown_in: the splits of the finding. A fault that only needs ``k`` above 1 needs no second process.
    """
    rules, seen = tuple(rules), tuple(shown_in)
    most = max((split.num_processes for split in seen), default=1)
    several_steps = any(split.gradient_accumulation_steps > 1 for split in seen)
    found = [
        Split(n, b, k)
        for n in (1, 2)
        for b in (1, 2, 4)
        for k in (1, 2, 4)
        if 2 <= n * b * k <= LARGEST and n <= most and (k == 1 or several_steps)
    ]
    fitting = [split for split in found if any(all(_shows(rule.within(one), split) for rule in rules) for one in seen)]
    one_process = any(split.num_processes == 1 for split in seen)
    ordered = sorted(
        fitting,
        key=lambda split: (
            split.num_processes > 1 and one_process,
            split.global_batch_size,
            split.num_processes,
            split.per_device_train_batch_size,
        ),
    )
    yield from ordered


def _shows(rule: Rule, split: Split) -> bool:
    """Whether a split is large enough that every part of a rule differs from 1."""
    sizes = {
        "n": split.num_processes,
        "k": split.gradient_accumulation_steps,
        "b": split.per_device_train_batch_size,
    }
    if any(sizes[name] == 1 for name, _ in rule.factors):
        return False
    if rule.window is not None and sizes["k"] == 1:
        return False
    return all(any(sizes[name] > 1 for name in names) for names in _NEEDS.get(rule.base, ()))
