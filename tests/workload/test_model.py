from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from accumcheck.config.model import DType, ModelConfig
from accumcheck.errors import WorkloadError
from accumcheck.rows.collate import Collator
from accumcheck.workload.data import build_samples
from accumcheck.workload.determinism import turn_off_dropout
from accumcheck.workload.model import build_model
from tests.workload.tiny import GPT2, LLAMA, LLAVA, check


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_every_parameter_of_every_part_has_the_dtype(dtype: DType) -> None:
    model = build_model(ModelConfig(config=LLAVA, dtype=dtype), seed=0, device="cpu")

    assert {parameter.dtype for parameter in model.parameters()} == {getattr(torch, dtype)}


def test_rotary_frequencies_stay_float32() -> None:
    model = build_model(ModelConfig(config=LLAMA, dtype="bfloat16"), seed=0, device="cpu")

    buffers = {name: buffer.dtype for name, buffer in model.named_buffers() if "inv_freq" in name}
    assert set(buffers.values()) == {torch.float32}


def test_dropout_is_off_and_the_model_trains() -> None:
    config = {**GPT2, "resid_pdrop": 0.5, "embd_pdrop": 0.5, "attn_pdrop": 0.5}
    model = build_model(ModelConfig(config=config), seed=0, device="cpu")
    ids = torch.arange(10)[None]

    assert model.training
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {0}
    assert torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)
    assert model.config.use_cache is False


def test_dropout_is_turned_off_in_a_model_inside_a_wrapper_without_a_config() -> None:
    inner = build_model(ModelConfig(config=GPT2), seed=0, device="cpu")
    inner.config.attn_pdrop = 0.5
    turn_off_dropout(nn.Sequential(inner))

    assert inner.config.attn_pdrop == 0


def test_building_leaves_the_random_numbers_of_the_caller_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    build_model(ModelConfig(config=LLAMA), seed=0, device="cpu")

    assert torch.equal(torch.rand(3), expected)


def test_a_folder_gives_pretrained_weights_or_its_config_alone(tmp_path: Path) -> None:
    saved = build_model(ModelConfig(config=LLAMA), seed=3, device="cpu")
    saved.save_pretrained(tmp_path)

    read = build_model(ModelConfig(name_or_path=str(tmp_path), weights="pretrained"), seed=0, device="cpu")
    drawn = build_model(ModelConfig(name_or_path=str(tmp_path)), seed=0, device="cpu")

    assert type(read).__name__ == type(drawn).__name__ == "LlamaForCausalLM"
    assert torch.equal(read.lm_head.weight, saved.lm_head.weight)
    assert not torch.equal(drawn.lm_head.weight, saved.lm_head.weight)


def test_the_architecture_is_the_users_choice() -> None:
    model = build_model(ModelConfig(config=LLAMA, architecture="LlamaForSequenceClassification"), seed=0, device="cpu")

    assert type(model).__name__ == "LlamaForSequenceClassification"


def test_attention_implementation_is_passed_through() -> None:
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
        (ModelConfig(config={**LLAVA, "image_token_index": 96}), "is outside the vocabulary of 96 ids"),
    ],
)
def test_a_model_that_cannot_be_had_is_named_with_the_cause_in_one_line(model: Any, message: Any) -> None:
    with pytest.raises(WorkloadError) as error:
        build_model(model, seed=0, device="cpu")

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_folder_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=r"this directory has no config\.json"):
        build_model(ModelConfig(name_or_path=str(tmp_path)), seed=0, device="cpu")


def test_a_hub_that_cannot_be_reached_is_said_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accumcheck.workload.hub._reachable", lambda endpoint: False)

    with pytest.raises(WorkloadError, match="could not reach the hub for nobody/no-such-model"):
        build_model(ModelConfig(name_or_path="nobody/no-such-model"), seed=0, device="cpu")


REMOTE_CODE = """
from torch import nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


class ToyConfig(PretrainedConfig):
    model_type = "toy"

    def __init__(self, vocab_size=1000, hidden_size=512, num_hidden_layers=6, hidden_dropout=0.1, **rest):
        self.vocab_size, self.hidden_size, self.num_hidden_layers = vocab_size, hidden_size, num_hidden_layers
        self.hidden_dropout = hidden_dropout
        super().__init__(**rest)


class ToyForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = ToyConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            nn.Linear(config.hidden_size, config.hidden_size) for _ in range(config.num_hidden_layers)
        )
        self.drop = nn.Dropout(config.hidden_dropout)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()

    def get_input_embeddings(self):
        return self.embed

    def forward(self, input_ids=None, attention_mask=None, labels=None):
        hidden = self.embed(input_ids)
        for layer in self.layers:
            hidden = hidden + self.drop(layer(hidden)).tanh()
        logits = self.head(hidden)
        loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return CausalLMOutput(loss=loss, logits=logits)
"""


def test_code_that_comes_with_the_model_runs_only_when_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("sys.path", [*sys.path])
    own_code = {"AutoConfig": "toy.ToyConfig", "AutoModelForCausalLM": "toy.ToyForCausalLM"}
    (tmp_path / "toy.py").write_text(REMOTE_CODE)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "toy", "auto_map": own_code}))
    trusted = ModelConfig(name_or_path=str(tmp_path), trust_remote_code=True, shrink=True)
    model = build_model(trusted, seed=0, device="cpu")
    batch = Collator.of(model)(build_samples(check(trusted), model, 2))

    assert type(model).__name__ == "ToyForCausalLM"
    assert (len(model.layers), model.embed.weight.shape, model.drop.p) == (2, (256, 64), 0)
    assert 3 < model(**batch).loss.item() < 12
    with pytest.raises(WorkloadError, match=r"comes with its own code; read the code, then set model\.trust_remote"):
        build_model(ModelConfig(name_or_path=str(tmp_path)), seed=0, device="cpu")
