"""Learning rates as they are used, and the schedules that they come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler
from transformers import get_scheduler
from transformers.optimization import Adafactor

from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.schedules import ScheduleWatch, learning_rates_of, numbers_of

TOTAL = 70


@pytest.fixture
def watch() -> Iterator[ScheduleWatch]:
    with Patches({Seam.SCHEDULE}) as patches:
        found = ScheduleWatch()
        patches.wrap(Seam.SCHEDULE, lr_scheduler.LRScheduler, found.finding)
        yield found


def optimizer(**settings: Any) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.5, **settings)


def test_a_schedule_is_found_with_its_line_and_counted(watch: ScheduleWatch) -> None:
    stepped = optimizer()
    schedule = get_scheduler("linear", stepped, num_warmup_steps=3, num_training_steps=40)
    (made,) = watch.schedules()
    assert made.kind == "LambdaLR"
    assert made.place.partition(":")[0].endswith("test_schedules.py")
    assert {name: made.numbers[name] for name in ("num_warmup_steps", "num_training_steps")} == {
        "num_warmup_steps": 3,
        "num_training_steps": 40,
    }
    assert watch.positions() == (0,)
    for _ in range(2):
        stepped.step()
        schedule.step()
    assert watch.positions() == (2,)
    del schedule
    stepped = optimizer()
    assert watch.positions() == ()


def closed_over(total: int) -> Callable[[int], float]:
    return lambda step: 1 - step / total


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda one: lr_scheduler.CosineAnnealingLR(one, T_max=30), "T_max", 30),
        (lambda one: lr_scheduler.OneCycleLR(one, 1.0, total_steps=20), "total_steps", 20),
        (lambda one: lr_scheduler.LambdaLR(one, closed_over(50)), "total", 50),
        (lambda one: lr_scheduler.LambdaLR(one, lambda step: 1 - step / TOTAL), "TOTAL", 70),
        (lambda one: lr_scheduler.LambdaLR(one, partial(pow, 2, mod=60)), "mod", 60),
    ],
)
def test_the_numbers_that_it_was_made_with(make: Callable[[Any], Any], name: str, value: int) -> None:
    numbers = numbers_of(make(optimizer(momentum=0.9)))
    assert numbers[name] == value
    assert "last_epoch" not in numbers


def test_the_learning_rate_of_each_group() -> None:
    parameters = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    groups: list[dict[str, Any]] = [{"params": parameters[:1], "lr": torch.tensor(0.25)}, {"params": parameters[1:]}]
    assert learning_rates_of(torch.optim.AdamW(groups, lr=2.0)) == (0.25, 2.0)
    (rate,) = learning_rates_of(Adafactor(parameters, lr=None))  # it finds its own
    assert math.isnan(rate)
