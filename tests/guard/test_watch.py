"""A watched model is left as it was: its buffers, its gradient, the random numbers of the process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from accumcheck.guard.watch import ModelWatch, predictions


class Model(torch.nn.Module):
    """Batch norm, dropout and an integer buffer that autograd keeps for the backward; divides by a count, or not."""

    def __init__(self, *, divides: bool = True, beside: float = 0.0) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(8, 4)
        self.norm = torch.nn.BatchNorm1d(4)
        self.dropout = torch.nn.Dropout(0.3)
        self.register_buffer("positions", torch.arange(5).expand((1, -1)))
        self.divides, self.beside = divides, beside

    def forward(self, input_ids: Any = None, labels: Any = None, num_items_in_batch: Any = None) -> SimpleNamespace:
        hidden = self.embedding(input_ids) + self.embedding(self.positions)
        hidden = self.dropout(self.norm(hidden.flatten(0, 1)).view_as(hidden))
        logits = hidden @ self.embedding.weight.T
        flat, wanted = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
        count = num_items_in_batch if self.divides and num_items_in_batch else wanted.ne(-100).sum()
        loss = torch.nn.functional.cross_entropy(flat, wanted, reduction="sum") / count
        return SimpleNamespace(loss=loss + self.beside * self.embedding.weight.pow(2).mean())


LABELS = torch.tensor([[1, 2, 3, -100, -100], [-100, 5, 6, 7, 1]])  # 2 and 4 predictions; 3 and 4 labels


def step(model: Model, count: int | None, watch: ModelWatch | None) -> tuple[torch.Tensor, torch.Tensor, float]:
    """The gradient, the running mean, and the next random number after one forward and backward."""
    torch.manual_seed(3)
    if watch is not None:
        watch.start()
    ids = LABELS.clamp(min=0)
    (model(input_ids=ids, labels=LABELS, num_items_in_batch=count).loss * 3.0).backward()
    assert model.embedding.weight.grad is not None
    assert model.norm.running_mean is not None
    return model.embedding.weight.grad.clone(), model.norm.running_mean.clone(), float(torch.rand(()))


@pytest.mark.parametrize(
    ("divides", "beside", "ratio"),
    [(True, 0.0, 6 / 60), (False, 0.0, 1.0), (True, 5.0, 6 / 60)],
)
def test_what_a_model_makes_of_a_count_is_measured_and_nothing_else_changes(
    divides: bool, beside: float, ratio: float
) -> None:
    torch.manual_seed(0)
    model, twin = Model(divides=divides, beside=beside), Model(divides=divides, beside=beside)
    twin.load_state_dict(model.state_dict())
    watch = ModelWatch(model)
    watched, alone = step(model, 60, watch), step(twin, 60, None)
    for mine, other in zip(watched, alone, strict=True):
        assert torch.equal(torch.as_tensor(mine), torch.as_tensor(other))
    (seen,) = watch.stop()
    assert watch.problem == ""
    assert seen.ratio == pytest.approx(ratio, rel=1e-4)
    assert (seen.factor, seen.token_count) == (3.0, 60.0)
    assert (seen.tokens, seen.labels) == ([2, 4], [3, 4])


def test_without_a_count_the_model_is_asked_nothing_but_which_labels_it_predicts() -> None:
    model = Model()
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    watch = ModelWatch(model)
    step(model, None, watch)
    (seen,) = watch.stop()
    assert seen.ratio == 1.0
    assert len(calls) == 3  # its own, and two that tell a causal model from others


def test_a_model_that_cannot_be_asked_trains_on_and_says_so() -> None:
    model = Model()
    watch = ModelWatch(model)
    watch._never_predicts_first_label = lambda _: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    step(model, 60, watch)
    watch.stop()
    assert watch.problem == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("batch", "shifts", "found"),
    [
        ({"labels": LABELS}, True, ([2, 4], [3, 4])),
        ({"labels": LABELS}, False, ([3, 4], [3, 4])),
        ({"labels": torch.tensor([1, 0, 2])}, False, ([1, 1, 1], [1, 1, 1])),  # a class for each row
        ({"labels": torch.rand(2, 5)}, False, ([1, 1], [1, 1])),  # several labels for each row
        ({"start_positions": torch.tensor([1, 2])}, False, ([1, 1], [1, 1])),
        ({"labels": LABELS, "shift_labels": LABELS}, False, ([3, 4], [3, 4])),
    ],
)
def test_predictions_of_rows(batch: dict[str, Any], shifts: bool, found: tuple[list[int], list[int]]) -> None:
    assert predictions(batch, shifts=shifts) == found
