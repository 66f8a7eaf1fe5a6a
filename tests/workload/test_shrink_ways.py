"""What is tried where the smallest model does not do."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import EsmConfig, SwinConfig

from accumcheck.config.model import ModelConfig
from accumcheck.errors import WorkloadError
from accumcheck.workload.assemble import build_workload
from accumcheck.workload.model import build_model
from accumcheck.workload.shrink_evenly import shrink_depth
from accumcheck.workload.shrink_ways import WAYS
from tests.workload.tiny import check


def test_depth_alone_keeps_the_widths() -> None:
    full = SwinConfig()
    small = shrink_depth(full)
    assert tuple(small.depths) == (1, 1, 1, 1)
    assert (small.embed_dim, small.num_heads, small.image_size) == (full.embed_dim, full.num_heads, full.image_size)
    assert tuple(full.depths) == (2, 2, 6, 2)


def test_the_ways_begin_with_the_smallest() -> None:
    assert [way.largest for way in WAYS][:-1] == [None, None, None]
    assert WAYS[-1].largest is not None


def test_a_model_that_its_smallest_size_breaks_is_made_in_another_way() -> None:
    # its windows and heads go together, so that neither can be cut alone
    model = ModelConfig(config={"model_type": "swin"}, shrink=True, architecture="SwinForImageClassification")
    made: Any = build_workload(check(model, max_length=8), "cpu").model
    assert made.config.embed_dim == SwinConfig().embed_dim


def test_a_model_that_is_too_large_in_every_way_is_named_with_its_first_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accumcheck.workload.model._drawn", refuse)
    with pytest.raises(WorkloadError, match="bert config: RuntimeError: way 1"):
        build_model(ModelConfig(config={"model_type": "bert"}, shrink=True), seed=0, device="cpu")


TRIED: list[int] = []


def refuse(*_: object) -> None:
    TRIED.append(1)
    raise RuntimeError(f"way {len(TRIED)}")


def test_fields_without_a_default_are_filled_last() -> None:
    config = EsmConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    assert config.pad_token_id is None
    assert WAYS[2].shrink(config).pad_token_id == 0
    assert WAYS[0].shrink(config).pad_token_id is None
    assert WAYS[0].shrink(config).vocab_size == 256  # without which nothing can be made
