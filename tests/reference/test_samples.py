"""The truth of one sample, beside a computation written out here."""

from __future__ import annotations

import pytest
import torch

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Split
from accumcheck.reference.samples import count_labels, mean_loss, precision
from accumcheck.workload.assemble import Workload, build_workload
from tests.e2e.program import TINY_LLAMA


@pytest.fixture(scope="module")
def workload() -> Workload:
    check = CheckConfig(
        model=ModelConfig(config=TINY_LLAMA, dtype="float64"),
        global_batch_size=4,
        splits=(Split(1, 4, 1),),
        steps=1,
    )
    return build_workload(check, "cpu")


def test_loss_and_tokens_are_those_of_the_shifted_labels(workload: Workload) -> None:
    for sample in workload.samples:
        batch = workload.collator([sample])
        with torch.no_grad():
            logits = workload.model(input_ids=batch["input_ids"]).logits[0].float()
        predicted = [
            (position, int(label)) for position, label in enumerate(sample["labels"][1:]) if int(label) != -100
        ]
        by_hand = sum(-torch.log_softmax(logits[position], dim=-1)[label] for position, label in predicted)
        workload.model.zero_grad(set_to_none=True)
        loss, tokens = mean_loss(workload.model, batch)
        assert tokens == len(predicted)
        assert loss.item() == pytest.approx(float(by_hand) / len(predicted), rel=1e-5)
        unmasked_first = int(sample["labels"][0] != -100)
        assert count_labels(sample) == tokens + unmasked_first


def test_smoothing_mixes_in_the_uniform_distribution(workload: Workload) -> None:
    sample = workload.samples[0]
    batch = workload.collator([sample])
    with torch.no_grad():
        scores = torch.log_softmax(workload.model(input_ids=batch["input_ids"]).logits[0].float(), dim=-1)
    smoothed = []
    for position, label in enumerate(sample["labels"][1:]):
        if int(label) != -100:
            target = torch.full((scores.shape[-1],), 0.1 / scores.shape[-1])
            target[int(label)] += 0.9
            smoothed.append(-(target * scores[position]).sum())
    loss, tokens = mean_loss(workload.model, batch, smoothing=0.1)
    assert loss.item() == pytest.approx(float(sum(smoothed)) / tokens, rel=1e-5)


def test_a_head_that_does_not_shift_is_asked_not_assumed() -> None:
    class Tagger(torch.nn.Module):
        """Predicts every unmasked label at its own position."""

        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Embedding(10, 5)

        def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> object:
            logits = self.head(input_ids)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
            return type("Output", (), {"loss": loss, "logits": logits})()

    batch = {"input_ids": torch.tensor([[1, 2, 3, 4]]), "labels": torch.tensor([[0, -100, 3, 1]])}
    assert mean_loss(Tagger(), batch)[1] == 3


def test_a_loss_that_its_logits_do_not_lead_to_counts_shifted_labels() -> None:
    class Fused(torch.nn.Module):
        """Computes its loss without handing out the logits, as fused kernels do."""

        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Embedding(10, 5)

        def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> object:
            return type("Output", (), {"loss": self.head(input_ids).square().mean(), "logits": None})()

    batch = {"input_ids": torch.tensor([[1, 2, 3, 4]]), "labels": torch.tensor([[0, -100, 3, 1]])}
    assert mean_loss(Fused(), batch)[1] == 2


def test_autocast_follows_the_training_arguments() -> None:
    check = CheckConfig(ModelConfig(config=TINY_LLAMA), 4, None, training_arguments={"bf16": True})
    with precision(check, "cpu"):
        assert torch.nn.functional.linear(torch.ones(1, 1), torch.ones(1, 1)).dtype == torch.bfloat16
    with precision(CheckConfig(ModelConfig(config=TINY_LLAMA), 4, None), "cpu"):
        assert torch.nn.functional.linear(torch.ones(1, 1), torch.ones(1, 1)).dtype == torch.float32
