"""A random forward pass: nothing can be decided, and it does not widen the tolerance."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.record import Finding


def random_forward(judged: Judged) -> Iterator[Detected]:
    """The same samples, one by one, at the same weights, gave a different loss."""
    seen = judged.seen
    if seen.random_by is None or seen.reference is None:
        return
    model = seen.random_in or seen.reference.model.architecture
    yield Detected(
        Finding(
            id="random-forward",
            severity="error",
            splits=(),
            summary=(
                f"the forward pass of {model} is random: the same samples, one by one, at the same weights, gave a "
                f"{'result' if seen.random_in else 'loss'} with a relative difference of {seen.random_by:.2g}"
            ),
            explanation=(
                "Rounding is far smaller. Splits draw different random numbers, so they cannot agree; their "
                "difference is neither a fault nor a tolerance."
            ),
            advice="Switch the noise off for the check (dropout that depends on self.training, custom noise), or "
            "derive it from the content of the sample.",
        ),
        accounts_for=frozenset(one.split for one in judged.results),
    )
