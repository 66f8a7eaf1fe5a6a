"""Heads of no other task, checked with real models."""

from __future__ import annotations

from typing import Any

import pytest

from accumcheck.config.model import ModelConfig
from accumcheck.workload.assemble import build_workload
from tests.workload.tiny import check


def made(model_type: str, architecture: str) -> Any:
    model = ModelConfig(config={"model_type": model_type}, shrink=True, architecture=architecture)
    return build_workload(check(model, max_length=12), "cpu")


@pytest.mark.parametrize(
    ("model_type", "architecture", "inputs", "label"),
    [
        ("vilt", "ViltForQuestionAnswering", {"input_ids", "attention_mask", "pixel_values"}, ("labels", (2,))),
        ("bridgetower", "BridgeTowerForImageAndTextRetrieval", {"input_ids", "pixel_values"}, ("labels", ())),
        ("luke", "LukeForEntityPairClassification", {"input_ids", "entity_ids", "entity_position_ids"}, ("labels", ())),
        ("lxmert", "LxmertForQuestionAnswering", {"input_ids", "visual_feats", "visual_pos"}, ("labels", ())),
        ("splinter", "SplinterForPreTraining", {"input_ids", "question_positions"}, ("start_positions", (2,))),
    ],
)
def test_inputs_and_labels_with_which_the_model_computes_a_loss(
    model_type: str, architecture: str, inputs: set[str], label: tuple[str, tuple[int, ...]]
) -> None:
    workload = made(model_type, architecture)
    first, second = workload.samples[:2]
    assert inputs <= first.keys()
    assert tuple(first[label[0]].shape) == label[1]
    assert not first["input_ids"].equal(second["input_ids"])
    outputs = workload.model(**workload.collator([first, second]))
    assert outputs.loss.requires_grad
