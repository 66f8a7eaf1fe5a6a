"""What a model class asks of its config."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import BertConfig, Gemma3TextConfig, LlavaConfig, PerceiverConfig

from accumcheck.config.model import ModelConfig
from accumcheck.workload.answers import answer
from accumcheck.workload.assemble import build_workload
from tests.workload.tiny import check


def test_a_list_of_layers_of_the_wanted_length() -> None:
    config: Any = BertConfig(num_hidden_layers=2)
    config.out_indices = [2]
    asked = ValueError("Head requires config.out_indices to be a list of 4 integers, specifying the features")
    assert answer(config, asked)
    assert (config.out_indices, config.num_hidden_layers) == ([1, 2, 3, 4], 4)
    assert not answer(config, asked)  # the same answer would not help


def test_a_field_that_another_part_has() -> None:
    config: Any = LlavaConfig()
    missing = AttributeError("'LlavaConfig' object has no attribute 'rms_norm_eps'")
    assert not hasattr(config, "rms_norm_eps")
    assert answer(config, missing)
    assert config.rms_norm_eps == config.text_config.rms_norm_eps


def test_one_head_where_the_width_does_not_divide() -> None:
    config: Any = PerceiverConfig(num_cross_attention_heads=4, num_self_attention_heads=8)
    assert answer(config, ValueError("qk_channels (322) must be divisible by num_heads (4)."))
    assert (config.num_cross_attention_heads, config.num_self_attention_heads) == (1, 8)


def test_rotary_parameters_for_each_kind_of_layer() -> None:
    config: Any = Gemma3TextConfig(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"])
    config.rope_parameters = {"rope_theta": 7.0}
    assert answer(config, KeyError("full_attention"))
    wanted = {"rope_type": "default", "rope_theta": 7.0}
    assert config.rope_parameters == {"sliding_attention": wanted, "full_attention": wanted}


@pytest.mark.parametrize(
    "complaint", [KeyError("nothing"), ValueError("x"), AttributeError("'A' object has no attribute 'b'")]
)
def test_other_errors_have_no_answer(complaint: Exception) -> None:
    assert not answer(BertConfig(), complaint)


def test_a_class_that_asks_for_its_layers_is_made() -> None:
    model = ModelConfig(config={"model_type": "dpt"}, shrink=True, architecture="DPTForSemanticSegmentation")
    made: Any = build_workload(check(model, max_length=8), "cpu").model
    assert list(made.config.backbone_out_indices) == [0, 1, 2, 3]
    assert made.config.num_hidden_layers == 4
