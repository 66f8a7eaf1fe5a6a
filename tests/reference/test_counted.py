"""A loss that is passed the count of its whole step: what the count does not divide is a mean over the step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Split
from accumcheck.reference.alone import SamplesAlone
from accumcheck.reference.counted import CountedSteps
from accumcheck.reference.losses import Losses
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import REFERENCE
from accumcheck.workload.assemble import Workload

B = 4
COUNTS = (3.0, 1.0, 5.0, 2.0)
N = sum(COUNTS)
_draw = torch.Generator().manual_seed(0)
X, Y = torch.randn(B, 6, generator=_draw), torch.randn(B, generator=_draw)

Term = Callable[[torch.Tensor, torch.Tensor, float, int], torch.Tensor]
"""From the predictions, their weights, the step's count and the accumulation steps to a term of the loss."""


class Line(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([0.3, -0.2, 0.5, 0.1, -0.4, 0.2]))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        out = x @ self.weight
        return {"out": out, "aux_loss": out.square().mean()}


def loss_of(model: Line, batch: Any, count: float, steps: int, term: Term) -> torch.Tensor:
    out = model(batch["x"])["out"]
    main = (batch["w"] * (out - batch["y"]).square()).sum() / count
    return main + term(out, batch["w"], count, steps)


def collate(rows: Any) -> Any:
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


COLLATE: Any = collate


def mean(out: torch.Tensor, _: torch.Tensor, __: float, ___: int) -> torch.Tensor:
    return 0.5 * out.square().mean()


def mean_over_k(out: torch.Tensor, _: torch.Tensor, __: float, k: int) -> torch.Tensor:
    return 0.5 * out.square().mean() / k


def by_weight(out: torch.Tensor, w: torch.Tensor, _: float, __: int) -> torch.Tensor:
    return 0.5 * (w * out.square()).sum() / w.sum()


def over_the_count(out: torch.Tensor, w: torch.Tensor, count: float, _: int) -> torch.Tensor:
    return 0.5 * (w * out.square()).sum() / count


def a_sum(out: torch.Tensor, _: torch.Tensor, __: float, ___: int) -> torch.Tensor:
    return 0.1 * out.square().sum()


def compared(out: torch.Tensor, _: torch.Tensor, __: float, ___: int) -> torch.Tensor:
    return 0.5 * (out - out.mean()).square().mean() + 0.1 * out.mean()


def made(folder: Path, term: Term, model: Line) -> tuple[CountedSteps, SamplesAlone]:
    rows = [{"x": X[at : at + 1], "y": Y[at : at + 1], "w": torch.tensor([count])} for at, count in enumerate(COUNTS)]
    (folder / REFERENCE).mkdir()
    check = CheckConfig(model=ModelConfig(dtype="float32"), global_batch_size=B, steps=1, splits=(Split(1, B, 1),))
    job = Job(REFERENCE, 1, folder / REFERENCE, check, "cpu", "gloo", membership=(tuple(range(B)),))
    alone = SamplesAlone(job, model, B, seed=0, double=False)
    alone.tokens = np.array(COUNTS, dtype=np.int64)

    def counted(batch: Any, count: float, steps: int) -> torch.Tensor:
        return loss_of(model, batch, count, steps, term)

    def asked(batch: Any) -> tuple[torch.Tensor, int]:
        return counted(batch, float(batch["w"].sum()), 1), int(batch["w"].sum())

    losses = Losses(asked, asked, lambda batch: len(batch["x"]), by="the loss", counted=counted)
    return CountedSteps(Workload(model, rows, COLLATE), losses, alone, "float32"), alone


def whole_step(term: Term) -> np.ndarray:
    """The gradient of the step in one micro-batch, by one call of autograd."""
    model = Line()
    loss = loss_of(model, {"x": X, "y": Y, "w": torch.tensor(COUNTS)}, N, 1, term)
    return torch.autograd.grad(loss, model.weight)[0].numpy()


@pytest.mark.parametrize("term", [mean, mean_over_k, by_weight, over_the_count, a_sum])
def test_the_parts_of_a_step_are_the_step_in_one_micro_batch(tmp_path: Path, term: Term) -> None:
    steps, alone = made(tmp_path, term, Line())
    steps.find_term(alone.reader, B, "the loss")
    alone.tokens = np.ones(B, dtype=np.int64)
    alone.compute(steps.part)
    assert alone.mean_of(list(range(B))) == pytest.approx(whole_step(term), rel=1e-4)


@pytest.mark.parametrize("term", [mean, mean_over_k, by_weight])
def test_a_mean_that_is_not_divided_is_found_with_its_gradient(tmp_path: Path, term: Term) -> None:
    model = Line()
    steps, alone = made(tmp_path, term, model)
    steps.find_term(alone.reader, B, "compute_loss")
    assert steps.term is not None
    assert steps.term.name == "a term of compute_loss"
    out = X @ model.weight
    (right,) = torch.autograd.grad(term(out, torch.tensor(COUNTS), N, 1), model.weight)
    assert steps.term.gradients[0] == pytest.approx(right.numpy(), rel=1e-4)
    assert steps.is_one_batch == (term is not by_weight)


@pytest.mark.parametrize("term", [over_the_count, a_sum])
def test_a_term_that_is_a_sum_needs_no_division(tmp_path: Path, term: Term) -> None:
    steps, alone = made(tmp_path, term, Line())
    steps.find_term(alone.reader, B, "the loss")
    assert steps.term is None


def test_a_term_that_compares_samples_is_that_of_its_micro_batch(tmp_path: Path) -> None:
    model = Line()
    steps, alone = made(tmp_path, compared, model)
    steps.find_term(alone.reader, B, "the loss")
    assert steps.term is not None
    batch = {"x": X, "y": Y, "w": torch.tensor(COUNTS)}
    (found,) = torch.autograd.grad(steps.together(batch)[0], model.weight)
    assert found.numpy() == pytest.approx(whole_step(compared), rel=1e-4)
    half = {name: one[:2] for name, one in batch.items()}
    (found,) = torch.autograd.grad(steps.together(half)[0], model.weight)
    out = X[:2] @ model.weight
    own = (half["w"] * (out - half["y"]).square()).sum() / N * 2 + compared(out, half["w"], N, 1)
    assert found.numpy() == pytest.approx(torch.autograd.grad(own, model.weight)[0].numpy(), rel=1e-4)


def test_a_number_that_the_model_returns_is_named(tmp_path: Path) -> None:
    model = Line()
    steps, alone = made(tmp_path, mean, model)

    def counted(batch: Any, count: float, steps: int) -> torch.Tensor:
        outputs = model(batch["x"])
        return (batch["w"] * (outputs["out"] - batch["y"]).square()).sum() / count + 0.5 * outputs["aux_loss"]

    steps._counted = counted
    steps.find_term(alone.reader, B, None)
    assert steps.term is not None
    assert steps.term.name == "aux_loss, which the model returns"


def test_in_micro_batches_of_one_a_step_is_the_sum(tmp_path: Path) -> None:
    steps, alone = made(tmp_path, mean_over_k, Line())
    alone.compute(steps.trained)
    alone.tokens = np.ones(B, dtype=np.int64)
    # divided by k = B, the mean over single rows is that of the step
    assert alone.mean_of(list(range(B))) == pytest.approx(whole_step(mean_over_k), rel=1e-4)


def refuses_to_accumulate(out: torch.Tensor, _: torch.Tensor, __: float, k: int) -> torch.Tensor:
    if k > 1:
        raise ValueError("only without accumulation")
    return 0.5 * out.square().mean()


def test_without_an_answer_from_the_loss_there_is_no_term_and_a_step_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    steps, alone = made(tmp_path, refuses_to_accumulate, Line())
    steps.find_term(alone.reader, B, "the loss", whole_step(mean))  # which asks for several accumulation steps
    assert steps.term is None
    assert steps.is_one_batch
    model = Line()
    rows = ({"x": X[at : at + 1], "y": Y[at : at + 1], "w": torch.tensor([count])} for at, count in enumerate(COUNTS))
    parts = torch.stack([loss_of(model, row, N, 1, mean) for row in rows])
    alone.tokens = np.ones(B, dtype=np.int64)
    alone.compute(steps.part)
    (right,) = torch.autograd.grad(parts.sum(), model.weight)
    assert alone.mean_of(list(range(B))) == pytest.approx(right.numpy(), rel=1e-4)


def over_its_own_k(out: torch.Tensor, _: torch.Tensor, __: float, ___: int) -> torch.Tensor:
    return 0.5 * out.square().mean() / B  # the program read k when it began, in the process with B micro-batches


def test_a_term_that_was_divided_by_the_k_of_this_process_is_a_mean_in_the_control(tmp_path: Path) -> None:
    steps, alone = made(tmp_path, over_its_own_k, Line())
    steps.find_term(alone.reader, B, "the loss", whole_step(mean))
    alone.tokens = np.ones(B, dtype=np.int64)
    alone.compute(steps.part)
    assert alone.mean_of(list(range(B))) == pytest.approx(whole_step(mean), rel=1e-4)
    assert steps.term is not None
    (right,) = torch.autograd.grad(0.5 * (X @ (model := Line()).weight).square().mean(), model.weight)
    assert steps.term.gradients[0] == pytest.approx(right.numpy(), rel=1e-4)


@pytest.mark.parametrize("term", [mean, mean_over_k, by_weight])
def test_a_control_that_counts_it_once_changes_nothing(tmp_path: Path, term: Term) -> None:
    steps, alone = made(tmp_path, term, Line())
    steps.find_term(alone.reader, B, "the loss", whole_step(term))
    alone.tokens = np.ones(B, dtype=np.int64)
    alone.compute(steps.part)
    assert alone.mean_of(list(range(B))) == pytest.approx(whole_step(term), rel=1e-4)
