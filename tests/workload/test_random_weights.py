from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from accumcheck.config.model import ModelConfig
from accumcheck.rows.collate import Collator
from accumcheck.workload.data import build_samples
from accumcheck.workload.model import build_model
from accumcheck.workload.random_weights import canonical_names
from tests.workload.tiny import GPT2, LLAMA, LLAVA, check


def _nested(names: list[str]) -> nn.Module:
    """A module with one parameter under each of the dotted names."""
    root = nn.Module()
    for name in names:
        module = root
        *path, leaf = name.split(".")
        for segment in path:
            if not hasattr(module, segment):
                module.add_module(segment, nn.Module())
            module = getattr(module, segment)
        module.register_parameter(leaf, nn.Parameter(torch.zeros(1)))
    return root


def test_parameters_keep_their_names_where_releases_moved_them() -> None:
    before = [
        "vision_tower.vision_model.encoder.layers.0.w",
        "language_model.model.layers.0.w",
        "language_model.lm_head.w",
    ]
    since = ["model.vision_tower.encoder.layers.0.w", "model.language_model.layers.0.w", "lm_head.w"]

    assert list(canonical_names(_nested(before))) == list(canonical_names(_nested(since)))


def test_names_that_collide_without_their_wrappers_are_numbered() -> None:
    named = canonical_names(_nested(["vision_model.layers.0.w", "text_model.layers.0.w"]))

    assert list(named) == ["layers.0.w#0", "layers.0.w#1"]


def test_the_seed_alone_decides() -> None:
    torch.manual_seed(1)
    one = build_model(ModelConfig(config=LLAVA), seed=0, device="cpu").state_dict()
    torch.manual_seed(2)
    same = build_model(ModelConfig(config=LLAVA), seed=0, device="cpu").state_dict()
    other = build_model(ModelConfig(config=LLAVA), seed=1, device="cpu").state_dict()

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one if one[name].is_floating_point())


def test_a_lower_dtype_is_the_rounding_of_float32_and_a_higher_one_equals_it() -> None:
    models = {
        dtype: build_model(ModelConfig(config=LLAMA, dtype=dtype), seed=0, device="cpu").state_dict()
        for dtype in ("float64", "float32", "bfloat16")
    }

    for name, value in models["float32"].items():
        assert torch.equal(models["bfloat16"][name], value.bfloat16())
        assert torch.equal(models["float64"][name], value.double())


def test_matrices_have_the_scale_of_their_fan_in_and_norms_stay_near_one() -> None:
    state = build_model(ModelConfig(config=LLAMA), seed=0, device="cpu").state_dict()

    assert float(state["model.layers.0.mlp.down_proj.weight"].std()) == pytest.approx(64**-0.5, rel=0.1)
    assert float(state["lm_head.weight"].std()) == pytest.approx(32**-0.5, rel=0.1)
    assert float((state["model.norm.weight"] - 1).abs().max()) < 0.1
    assert float(state["model.norm.weight"].std()) > 0


def test_tied_parameters_stay_tied() -> None:
    model = build_model(ModelConfig(config=GPT2), seed=0, device="cpu")

    assert model.lm_head.weight is model.transformer.wte.weight


# The losses that transformers 4.45.2, 4.48.3, 4.49.0, 4.57.6 and 5.23.0 all gave for sample 0 alone (float32, CPU).
@pytest.mark.parametrize(("config", "loss"), [(LLAMA, 4.7692), (GPT2, 5.2757), (LLAVA, 4.8727)])
def test_every_release_gives_the_same_loss(config: Any, loss: Any) -> None:
    model_config = ModelConfig(config=config)
    model = build_model(model_config, seed=0, device="cpu")
    batch = Collator.of(model)(build_samples(check(model_config), model, 1))

    assert model(**batch).loss.item() == pytest.approx(loss, abs=1e-4)


@pytest.mark.parametrize("config", [LLAMA, LLAVA, GPT2], ids=lambda config: config["model_type"])
def test_samples_differ_clearly_in_loss(config: Any) -> None:
    model_config = ModelConfig(config=config)
    model = build_model(model_config, seed=0, device="cpu")
    collator = Collator.of(model)
    losses = torch.tensor([model(**collator([s])).loss.item() for s in build_samples(check(model_config), model, 16)])

    assert float(losses.std()) > 0.05
