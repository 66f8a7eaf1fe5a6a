from __future__ import annotations

import pytest
import torch
from torch import nn

from accumcheck.config.model import ModelConfig
from accumcheck.errors import WorkloadError
from accumcheck.workload.model import build_model
from tests.workload.tiny import GPT2, LLAMA, LLAVA


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_every_parameter_of_every_part_has_the_dtype(dtype):
    model = build_model(ModelConfig(config=LLAVA, dtype=dtype), seed=0, device="cpu")

    assert {parameter.dtype for parameter in model.parameters()} == {getattr(torch, dtype)}


def test_rotary_frequencies_stay_float32():
    model = build_model(ModelConfig(config=LLAMA, dtype="bfloat16"), seed=0, device="cpu")

    buffers = {name: buffer.dtype for name, buffer in model.named_buffers() if "inv_freq" in name}
    assert set(buffers.values()) == {torch.float32}


def test_dropout_is_off_and_the_model_trains():
    config = {**GPT2, "resid_pdrop": 0.5, "embd_pdrop": 0.5, "attn_pdrop": 0.5}
    model = build_model(ModelConfig(config=config), seed=0, device="cpu")
    ids = torch.arange(10)[None]

    assert model.training
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {0}
    assert torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)
    assert model.config.use_cache is False


def test_building_leaves_the_random_numbers_of_the_caller_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    build_model(ModelConfig(config=LLAMA), seed=0, device="cpu")

    assert torch.equal(torch.rand(3), expected)


def test_a_folder_gives_pretrained_weights_or_its_config_alone(tmp_path):
    saved = build_model(ModelConfig(config=LLAMA), seed=3, device="cpu")
    saved.save_pretrained(tmp_path)

    read = build_model(ModelConfig(name_or_path=str(tmp_path), weights="pretrained"), seed=0, device="cpu")
    drawn = build_model(ModelConfig(name_or_path=str(tmp_path)), seed=0, device="cpu")

    assert type(read).__name__ == type(drawn).__name__ == "LlamaForCausalLM"
    assert torch.equal(read.lm_head.weight, saved.lm_head.weight)
    assert not torch.equal(drawn.lm_head.weight, saved.lm_head.weight)


def test_the_architecture_is_the_users_choice():
    model = build_model(ModelConfig(config=LLAMA, architecture="LlamaForSequenceClassification"), seed=0, device="cpu")

    assert type(model).__name__ == "LlamaForSequenceClassification"


def test_attention_implementation_is_passed_through():
    model = build_model(ModelConfig(config=LLAMA, attn_implementation="eager"), seed=0, device="cpu")

    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ModelConfig(config={"hidden_size": 8}), "model.config has no model_type; add one"),
        (ModelConfig(config={"model_type": "lama"}), "did you mean llama?"),
        (ModelConfig(config=LLAMA, architecture="LlamaForCausalM"), "did you mean LlamaForCausalLM?"),
        (ModelConfig(config=LLAMA, weights="pretrained"), "an inline config has no pretrained weights"),
        (ModelConfig(name_or_path="./nowhere"), "./nowhere: no such directory"),
        (ModelConfig(config={**LLAMA, "hidden_size": "wide"}), "the inline llama config: "),
        (ModelConfig(config={**LLAMA, "vocab_size": 10**13}), "out of memory while building the model"),
        (ModelConfig(config={**LLAVA, "image_token_index": 96}), "lies outside the vocabulary of 96 ids"),
    ],
)
def test_a_model_that_cannot_be_had_is_named_with_the_cause_in_one_line(model, message):
    with pytest.raises(WorkloadError) as error:
        build_model(model, seed=0, device="cpu")

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_folder_holds_no_model(tmp_path):
    with pytest.raises(WorkloadError, match=r"no config\.json in this directory"):
        build_model(ModelConfig(name_or_path=str(tmp_path)), seed=0, device="cpu")


def test_a_hub_that_cannot_be_reached_is_said_so_at_once(monkeypatch):
    monkeypatch.setattr("accumcheck.workload.hub._reachable", lambda endpoint: False)

    with pytest.raises(WorkloadError, match="could not reach the hub for nobody/no-such-model"):
        build_model(ModelConfig(name_or_path="nobody/no-such-model"), seed=0, device="cpu")
