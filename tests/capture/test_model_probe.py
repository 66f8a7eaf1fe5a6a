"""Models made to answer in each way that released ones do, asked how they make their loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from accumcheck.capture.model_probe import keeps_apart, probe_model
from accumcheck.record import LossProbe

BATCH = {"x": torch.arange(12.0).reshape(6, 2), "labels": torch.tensor([0, 1, 2, 0, 1, 2])}


class Head(torch.nn.Module):
    """Three classes; its forwards differ in what they do with a token count."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.score = torch.nn.Linear(2, 3)


class Divides(Head):
    def forward(self, x: torch.Tensor, labels: torch.Tensor, **kwargs: Any) -> dict[str, torch.Tensor]:
        return {"loss": self.criterion(self.score(x), labels, **kwargs)}  # asks

    def criterion(self, logits: torch.Tensor, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        reduction = "mean" if num_items_in_batch is None else "sum"
        loss = F.cross_entropy(logits, labels, reduction=reduction)  # calls
        return loss if num_items_in_batch is None else loss / num_items_in_batch


class Ignores(Head):
    def forward(self, x: torch.Tensor, labels: torch.Tensor, **kwargs: Any) -> tuple[torch.Tensor]:
        return (torch.nn.CrossEntropyLoss()(self.score(x), labels),)  # asks


class Rejects(Head):
    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": F.cross_entropy(self.score(x), labels, reduction="sum")}


class RejectsWithin(Head):
    def forward(self, x: torch.Tensor, labels: torch.Tensor, **kwargs: Any) -> dict[str, torch.Tensor]:
        return {"loss": self.strict(self.score(x), labels, **kwargs)}

    def strict(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels)


class Partly(Divides):
    def forward(self, x: torch.Tensor, labels: torch.Tensor, **kwargs: Any) -> dict[str, torch.Tensor]:
        return {"loss": self.criterion(self.score(x), labels, **kwargs) + 0.5 * self.score.weight.square().sum()}


class WantsAnInt(Divides):
    def criterion(self, logits: torch.Tensor, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        if isinstance(num_items_in_batch, torch.Tensor):
            raise ValueError("an int, please")
        return super().criterion(logits, labels, num_items_in_batch)


class WithDropout(Ignores):
    def forward(self, x: torch.Tensor, labels: torch.Tensor, **kwargs: Any) -> tuple[torch.Tensor]:
        return super().forward(F.dropout(x, 0.5, training=True), labels)


class ByHand(Head):
    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        chosen = torch.log_softmax(self.score(x), dim=-1).gather(-1, labels[:, None])
        loss = chosen.mean()
        loss = -loss  # makes
        loss.add(1)  # another number, and not the loss
        return {"loss": loss}


class Breaks(Head):
    def forward(self, **kwargs: Any) -> None:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (Divides, "divides"),
        (Ignores, "ignores"),
        (Rejects, "rejects"),
        (RejectsWithin, "rejects"),
        (Partly, "partly"),
        (WantsAnInt, "divides"),
        (WithDropout, "ignores"),
        (Breaks, None),
    ],
)
def test_the_model_answers_what_it_does_with_a_token_count(model: Callable[[], Head], answer: str | None) -> None:
    assert probe_model(model(), BATCH, 5).token_count == answer


def line_of(kind: type[Head], comment: str) -> str:
    """The place of the line of this class that ends in this comment, the file as pytest imports it."""
    lines, first = inspect.getsourcelines(kind)
    (at,) = [number for number, line in enumerate(lines, start=first) if line.rstrip().endswith(f"# {comment}")]
    return f"test_model_probe.py:{at}"


def test_the_line_that_asks_for_the_loss_and_the_line_that_calls_it_are_told_apart() -> None:
    found = probe_model(Divides(), BATCH, 5)
    assert str(found.place).endswith(line_of(Divides, "asks"))
    assert str(found.call_place).endswith(line_of(Divides, "calls"))
    assert (found.function, found.reduction) == ("cross_entropy", "mean")


def test_a_loss_module_of_torchs_own_is_no_place() -> None:
    found = probe_model(Ignores(), BATCH, 5)
    assert str(found.place).endswith(line_of(Ignores, "asks"))
    assert found.call_place == found.place
    assert found.reduction == "mean"


def test_a_loss_without_a_loss_function_is_found_by_the_call_that_made_it() -> None:
    found = probe_model(ByHand(), BATCH, 5)
    assert str(found.place).endswith(line_of(ByHand, "makes"))
    assert (found.function, found.reduction) == ("neg", None)


def test_a_model_that_breaks_leaves_nothing_seen() -> None:
    assert probe_model(Breaks(), BATCH, 5) == LossProbe()


def test_probing_leaves_gradients_and_random_numbers_alone() -> None:
    model = WithDropout()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    probe_model(model, BATCH, 5)
    assert model.score.weight.grad is None
    assert torch.rand(3).tolist() == expected.tolist()


class Sums(torch.nn.Module):
    """A position's logits are the sum of all ids up to it, of its own text only where ``apart``."""

    def __init__(self, apart: bool) -> None:
        super().__init__()
        self.apart = apart
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor) -> Any:
        sums = input_ids.cumsum(-1).float()
        if self.apart:
            begun = (position_ids == 0).cumsum(-1)
            sums = torch.stack(
                [sums[0, place] - sums[0][begun[0] < begun[0, place]][-1:].sum() for place in range(sums.shape[1])]
            )[None]
        return SimpleNamespace(logits=sums[..., None])


@pytest.mark.parametrize("apart", [True, False])
def test_a_model_says_whether_it_keeps_the_texts_of_a_row_apart(apart: bool) -> None:
    first = {"input_ids": torch.tensor([5, 6, 7]), "position_ids": torch.tensor([0, 1, 2])}
    second = {"input_ids": torch.tensor([1, 2]), "position_ids": torch.tensor([0, 1])}
    assert keeps_apart(Sums(apart), first, second) is apart


def test_a_model_that_takes_no_positions_is_not_asked() -> None:
    text = {"input_ids": torch.tensor([1, 2]), "position_ids": torch.tensor([0, 1])}
    assert keeps_apart(Rejects(), text, text) is None
