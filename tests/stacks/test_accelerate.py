"""How many predictions a batch has: what our loop weights its micro-batches by."""

from __future__ import annotations

import pytest
import torch
import transformers

from accumcheck.stacks.accelerate import count_predictions

SIZES = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 32}
T5 = {"d_model": 16, "d_ff": 16, "d_kv": 8, "num_layers": 1, "num_heads": 2, "vocab_size": 32}


@pytest.mark.parametrize(
    ("model", "labels", "expected"),
    [
        # each row's first label has no token before it
        (transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES)), [[3, 4, 5], [-100, 7, -100]], 3),
        (transformers.BertForMaskedLM(transformers.BertConfig(**SIZES)), [[3, 4, 5], [-100, 7, -100]], 4),
        (transformers.T5ForConditionalGeneration(transformers.T5Config(**T5)), [[3, 4, 5], [6, 7, -100]], 5),
        (transformers.BertForSequenceClassification(transformers.BertConfig(**SIZES)), [0, 1, 1], 3),
    ],
)
def test_predictions_are_counted_as_the_model_takes_its_mean(
    model: torch.nn.Module, labels: list[object], expected: int
) -> None:
    assert count_predictions(model, {"labels": torch.tensor(labels)}) == expected


def test_labels_of_several_kinds_are_one_prediction_a_row() -> None:
    model = transformers.BertForSequenceClassification(transformers.BertConfig(**SIZES))
    assert count_predictions(model, {"labels": torch.rand(4, 3)}) == 4
