from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoConfig

from accumcheck.config.model import ModelConfig
from accumcheck.rows.collate import Collator
from accumcheck.workload.data import build_samples
from accumcheck.workload.model import build_model
from accumcheck.workload.shrink import shrink
from accumcheck.workload.shrink_evenly import shrink_depth
from tests.releases import require_model_type, since
from tests.workload.tiny import check

MODEL_TYPES = [
    *("llama", "mistral", "qwen2", "qwen3", "qwen3_next", "gemma", "gemma2", "gemma3_text"),
    *("gemma4_text", "phi3", "gpt2", "gpt_neox", "gpt_neo", "gptj", "opt", "bloom"),
    *("falcon", "mpt", "mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v3", "olmo2", "mamba2"),
    *("zamba", "jamba", "recurrent_gemma", "falcon_h1", "gpt_oss", "xlnet", "llava"),
]


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_default_config_of_full_size_becomes_tiny_and_trains(model_type: str) -> None:
    require_model_type(model_type)
    config = ModelConfig(config={"model_type": model_type}, shrink=True)
    model = build_model(config, seed=0, device="cpu")
    loss = model(**Collator.of(model)(build_samples(check(config), model, 2))).loss
    loss.backward()

    assert sum(parameter.numel() for parameter in model.parameters()) < 1_000_000
    assert 3 < float(loss.detach()) < 12
    assert any(parameter.grad is not None and float(parameter.grad.norm()) > 0 for parameter in model.parameters())


def test_the_given_config_stays_as_it_is() -> None:
    config = AutoConfig.for_model("llama")
    before = config.to_dict()
    shrink(config)

    assert config.to_dict() == before


def test_grouped_heads_stay_grouped() -> None:
    def heads(kv: Any) -> Any:
        small = shrink(AutoConfig.for_model("llama", num_attention_heads=32, num_key_value_heads=kv))
        return small.num_attention_heads, small.num_key_value_heads

    assert [heads(32), heads(8), heads(1)] == [(4, 4), (4, 2), (4, 1)]


@since("4.57.0", "the configuration of Gemma 3 does not list the kinds of its layers")
def test_one_layer_of_each_kind_is_kept() -> None:
    require_model_type("gemma3_text")
    small = shrink(AutoConfig.for_model("gemma3_text"))

    assert small.num_hidden_layers == 2
    assert small.layer_types == ["sliding_attention", "full_attention"]


def test_a_layers_own_numbers_keep_their_proportion() -> None:
    require_model_type("gemma4_text")
    small = shrink(AutoConfig.for_model("gemma4_text"))  # full attention has heads of 512, sliding attention of 256

    assert [small.per_layer_config[layer].head_dim for layer in range(2)] == [16, 32]


def test_experts_are_few_and_fewer_are_chosen() -> None:
    require_model_type("deepseek_v3")
    small = shrink(AutoConfig.for_model("deepseek_v3"))

    assert (small.n_routed_experts, small.num_experts_per_tok, small.n_group, small.topk_group) == (4, 2, 2, 1)


def test_special_tokens_move_into_the_vocabulary_and_stay_different() -> None:
    small = shrink(AutoConfig.for_model("llava", image_token_index=32000, text_config={"model_type": "llama"}))
    small_gpt2 = shrink(AutoConfig.for_model("gpt2"))

    assert small.text_config.vocab_size == 256
    assert small.image_token_index == 255
    assert small.text_config.eos_token_id == 2
    assert small_gpt2.eos_token_id == small_gpt2.bos_token_id == 255


def test_images_give_four_features() -> None:
    config = ModelConfig(config={"model_type": "llava"}, shrink=True)
    model = build_model(config, seed=0, device="cpu")
    sample = build_samples(check(config), model, 1)[0]

    assert sample["pixel_values"].shape == (1, 3, 8, 8)
    assert int((sample["input_ids"] == model.config.image_token_index).sum()) == 4


@since("5.0.0", "the configuration of Qwen2-VL has no text configuration, and calls them rope_scaling")
def test_rotary_sections_fill_half_a_head() -> None:
    rope = {"type": "mrope", "mrope_section": [16, 24, 24]}
    small = shrink(AutoConfig.for_model("qwen2_vl", text_config={"rope_scaling": rope}))

    assert small.text_config.hidden_size // small.text_config.num_attention_heads == 16
    assert small.text_config.rope_parameters["mrope_section"] == [2, 3, 3]


def test_images_of_a_tower_without_patches_become_64_pixels_large() -> None:
    assert shrink(AutoConfig.for_model("efficientnet", image_size=600)).image_size == 64
    assert shrink_depth(AutoConfig.for_model("efficientnet", image_size=600)).image_size == 64
    assert shrink(AutoConfig.for_model("efficientnet", image_size=48)).image_size == 48


def test_an_image_of_twice_its_width_stays_so() -> None:
    small = shrink(AutoConfig.for_model("seggpt", image_size=[896, 448], patch_size=16))
    assert (list(small.image_size), small.patch_size) == ([16, 8], 4)


def test_vectors_that_a_decoder_asks_with_are_few() -> None:
    detr = shrink(AutoConfig.for_model("mask2former", num_queries=100, train_num_points=12544))
    latents = shrink(AutoConfig.for_model("perceiver", num_latents=256, d_latents=1280, num_self_attends_per_block=26))

    assert (detr.num_queries, detr.train_num_points) == (16, 64)
    assert (latents.num_latents, latents.d_latents, latents.num_self_attends_per_block) == (16, 64, 2)


def test_heads_divide_the_width() -> None:
    assert list(shrink(AutoConfig.for_model("swin", num_heads=[3, 6, 12, 24])).num_heads) == [2, 4, 4, 4]


def test_stages_have_only_the_layers_that_they_list() -> None:
    small = shrink(AutoConfig.for_model("efficientnet", depth_coefficient=3.1, num_block_repeats=[1, 2, 6]))
    assert (list(small.num_block_repeats), small.depth_coefficient) == ([1, 2, 3], 1.0)
    assert shrink(AutoConfig.for_model("efficientnet", depth_coefficient=0.5)).depth_coefficient == 0.5
