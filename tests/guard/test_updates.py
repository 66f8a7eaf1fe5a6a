"""What a guard makes of the steps that it counted: in each case, the speed of a schedule worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, ExponentialLR

from accumcheck.guard.pace import Pace, PaceWatch
from accumcheck.guard.updates import Epoch, epoch_of, wrong_epoch, wrong_pace
from accumcheck.record import Split

SPLIT = Split(2, 4, 3)
TOTAL = 100


def pace(schedule: int, made_for: float | None, *, optimizer: int | None = 1, moved: bool = True) -> Pace:
    return Pace(optimizer, schedule, "LambdaLR", made_for, moved)


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (pace(1, 100), []),
        (pace(2, 200), []),  # stepped for each process, and made that much longer
        (pace(1, 120), []),  # of another length by its author's wish: neither k nor n
        (pace(1, None), []),  # of no length, once for each step
        (pace(0, 100), []),  # a step that a loss scaler skipped
        (pace(3, 100, moved=False), []),  # a constant learning rate
        (pace(2, 100), [("schedule-times-n", True)]),
        (pace(3, 100), [("schedule-times-k", True)]),
        (pace(3, 297), []),  # micro-batches of an epoch that ends with a short window
        (pace(1, 300), [("schedule-times-k", False)]),  # made for micro-batches: perhaps it was meant
        (pace(1, 200), [("schedule-times-n", False)]),
        (pace(4, 100), [("schedule-differs", True)]),  # by Trainer and at each micro-batch
        (pace(2, None), [("schedule-times-n", False)]),  # perhaps its unknown numbers make up for it
        (pace(1, 100, optimizer=3), [("step-per-microbatch", True)]),
        (pace(1, 100, optimizer=2), [("steps-differ", False)]),
        (pace(1, 100, optimizer=None), []),
    ],
)
def test_what_is_wrong_with_a_pace(seen: Pace, found: list[tuple[str, bool]]) -> None:
    assert [(wrong.finding.id, wrong.stops) for wrong in wrong_pace(seen, SPLIT, TOTAL)] == found


@pytest.mark.parametrize(
    ("epoch", "split", "found"),
    [
        (Epoch(240, 30, 24), SPLIT, []),  # 240 / (2 * 4) batches
        (Epoch(240, 60, 24), SPLIT, ["steps-differ"]),  # every process is fed all of it
        (Epoch(240, 15, 24), SPLIT, ["steps-differ"]),  # divided twice
        (Epoch(241, 31, 24), SPLIT, []),  # a short last window
        (Epoch(240, 60, 48), SPLIT, []),  # pairs: two rows for each sample
        (Epoch(240, 60, 12), Split(1, 4, 3), []),
        (Epoch(240, 45, 24), SPLIT, []),  # some sampler of its author's
    ],
)
def test_what_is_wrong_with_an_epoch(epoch: Epoch, split: Split, found: list[str]) -> None:
    assert [wrong.finding.id for wrong in wrong_epoch(epoch, split)] == found


@pytest.mark.parametrize(
    ("make", "made_for", "moved"),
    [
        (lambda optimizer: CosineAnnealingLR(optimizer, T_max=50), 50.0, True),
        (lambda optimizer: ExponentialLR(optimizer, gamma=0.5), None, True),
        (lambda optimizer: ConstantLR(optimizer, factor=1.0), None, False),
    ],
)
def test_a_watch_counts_steps_and_finds_the_length_of_a_schedule(make: object, made_for: object, moved: bool) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=1.0)
    schedule = make(optimizer)  # type: ignore[operator]
    watch = PaceWatch(SimpleNamespace(optimizer=optimizer), SimpleNamespace(scheduler=schedule))
    optimizer.step()
    for _ in range(2):
        schedule.step()
    found = watch.stop()
    assert (found.optimizer, found.schedule, found.made_for, found.moved) == (1, 2, made_for, moved)
    optimizer.step()
    assert watch.stop().optimizer == 1  # it watches no more


def test_no_epoch_where_the_length_of_the_data_is_not_known_or_processes_share_rows() -> None:
    assert epoch_of(SimpleNamespace(dataset=iter([])), SimpleNamespace(), 4) is None
    loader = torch.utils.data.DataLoader([0] * 8, batch_size=2)  # type: ignore[var-annotated, arg-type]
    assert epoch_of(loader, SimpleNamespace(), 4) == Epoch(8, 4, 4)
    assert epoch_of(loader, SimpleNamespace(parallelism_config=object()), 4) is None
    assert epoch_of(None, SimpleNamespace(), 4) is None
