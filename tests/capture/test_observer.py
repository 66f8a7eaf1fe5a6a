"""What is seen of a plain training loop, at torch's seams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from accumcheck.capture.observer import Observer
from accumcheck.rows.fingerprint import SampleIndex
from accumcheck.runfolder.steps import read_gradients, read_steps

SAMPLES = [{"input_ids": torch.tensor([1, 2, 3 + i]), "attention_mask": torch.ones(3)} for i in range(4)]


class Scorer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.score = torch.nn.Linear(3, 1, bias=False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.score(input_ids.float()).mean()


def batch(*rows: int) -> dict[str, torch.Tensor]:
    return {name: torch.stack([SAMPLES[row][name] for row in rows]) for name in SAMPLES[0]}


def test_steps_micro_batches_and_gradients_are_recorded(tmp_path: Path) -> None:
    model = Scorer()
    seen: list[Any] = []
    observer = Observer(tmp_path, 0, SampleIndex(SAMPLES), seen.append)
    observer.watch(model, seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for rows in ([(0, 1), (3,)], [(2, 2)]):
        for micro_batch in rows:
            model(**batch(*micro_batch)).backward()
        with torch.no_grad():
            model(**batch(0))  # an evaluation is not part of a step
        optimizer.step()
        optimizer.zero_grad()
    observer.told(1, {"loss": 4.5, "grad_norm": 2.0, "epoch": 1})
    observer.told(2, {"loss": 5.5})
    observer.told(2, {"train_runtime": 1.0})  # the summary at the end is no step's log
    observer.stop()
    optimizer.step()  # what comes later is not watched
    observer.write()

    steps = read_steps(tmp_path, 0)
    assert seen == [0, 1]
    assert [[batch.samples for batch in step.micro_batches] for step in steps] == [[(0, 1), (3,)], [(2, 2)]]
    assert [(step.loss, step.logged_grad_norm) for step in steps] == [(4.5, 2.0), (5.5, None)]
    # d/dw of mean(w . x) is the mean of x: (1, 2, 3.5) for rows 0 and 1, plus (1, 2, 6) for row 3
    assert read_gradients(tmp_path, 0, processes=1)[0].tolist() == [2.0, 4.0, 9.5]
    assert steps[0].grad_norm == pytest.approx((2**2 + 4**2 + 9.5**2) ** 0.5)
    assert read_gradients(tmp_path, 1, processes=1)[0].tolist() == [1.0, 2.0, 5.0]
    assert read_gradients(tmp_path, 2, processes=1) == {}


def test_a_row_that_is_no_sample_is_minus_one(tmp_path: Path) -> None:
    model = Scorer()
    observer = Observer(tmp_path, 0, SampleIndex(SAMPLES), lambda step: None)
    observer.watch(model, seed=0)
    model(input_ids=torch.tensor([[9, 9, 9]]), attention_mask=torch.ones(1, 3)).backward()
    torch.optim.SGD(model.parameters(), lr=0.0).step()
    observer.stop()
    assert [batch.samples for batch in observer.steps[0].micro_batches] == [(-1,)]
