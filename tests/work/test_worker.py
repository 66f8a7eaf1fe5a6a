"""Which GPUs a worker sees: its own, of those that the user left visible."""

from __future__ import annotations

import pytest

from accumcheck.work.worker import _visible


@pytest.mark.parametrize(
    ("gpus", "already", "visible"),
    [
        ((0, 1), "", "0,1"),
        ((0, 1), "2,3", "2,3"),
        ((1,), "5, GPU-4fd2, 7", "GPU-4fd2"),
    ],
)
def test_gpus_are_counted_among_the_visible_ones(gpus: tuple[int, ...], already: str, visible: str) -> None:
    assert _visible(gpus, already) == visible
