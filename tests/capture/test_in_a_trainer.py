"""What the observer sees of a loss on its way through the installed Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainingArguments

from accumcheck.capture.observer import Observer
from accumcheck.record import MicroBatch
from accumcheck.rows.fingerprint import SampleIndex
from accumcheck.runfolder.of_split import read_belief
from accumcheck.runfolder.steps import read_steps
from tests.releases import since

SAMPLES = [{"x": torch.tensor([1.0 + row]), "labels": torch.tensor(row % 2)} for row in range(4)]
K = 4


class Ignores(torch.nn.Module):
    """Declares keyword arguments, so that Trainer passes the count, and does nothing with them."""

    def __init__(self) -> None:
        super().__init__()
        self.score = torch.nn.Linear(1, 1, bias=False)

    def forward(self, x: torch.Tensor, labels: torch.Tensor, **kwargs: Any) -> dict[str, torch.Tensor]:
        return {"loss": (self.score(x)[:, 0] - labels).square().mean()}


class TakesNone(Ignores):
    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[override]
        return super().forward(x, labels)


class Doubles(Trainer):
    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        return 2 * super().compute_loss(*args, **kwargs)


class OfItsOwn(Trainer):
    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        model(**inputs)
        return model.score(inputs["x"]).mean()


def passages(folder: Path, model: torch.nn.Module, kind: type[Trainer]) -> tuple[MicroBatch, ...]:
    observer = Observer(folder, 0, SampleIndex(SAMPLES), lambda step: None)
    observer.watch(model, seed=0)
    arguments = TrainingArguments(
        output_dir=str(folder / "output"),
        use_cpu=True,
        report_to=[],
        max_steps=1,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=K,
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = kind(model=model, args=arguments, train_dataset=SAMPLES)
    observer.trained_by(trainer)
    trainer.train()
    observer.stop()
    observer.write()
    (step,) = read_steps(folder, 0)
    assert sorted(batch.samples for batch in step.micro_batches) == [(0,), (1,), (2,), (3,)]
    belief = read_belief(folder)
    assert belief is not None
    assert belief.stack == kind.__name__
    return step.micro_batches


@since("4.50.0", "Trainer decides otherwise which models are passed the count of labels, or counts none")
@pytest.mark.parametrize(
    ("model", "kind", "factor", "count"),
    [
        (Ignores, Trainer, 1.0, 4.0),
        (TakesNone, Trainer, 1 / K, None),
        (Ignores, Doubles, 2.0, 4.0),
        (TakesNone, Doubles, 2 / K, None),
    ],
)
def test_the_factor_and_the_count_are_those_of_the_trainer(
    tmp_path: Path, model: type[Ignores], kind: type[Trainer], factor: float, count: float | None
) -> None:
    found = passages(tmp_path, model(), kind)
    assert [(one.factor, one.token_count) for one in found] == [(factor, count)] * K
    assert all(one.loss is not None for one in found)


def test_a_loss_of_the_trainers_own_leaves_the_models_without_a_factor(tmp_path: Path) -> None:
    found = passages(tmp_path, Ignores(), OfItsOwn)
    assert [one.factor for one in found] == [None] * K
    assert all(one.loss is not None for one in found)
