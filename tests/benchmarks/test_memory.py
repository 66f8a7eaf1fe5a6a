"""The models of the memory benchmark have about as many parameters as are asked for."""

from __future__ import annotations

import pytest
from memory import llama_of, parameters_of


@pytest.mark.parametrize("asked", [1e8, 1e9, 7e9])
def test_about_as_many_as_asked(asked: float) -> None:
    assert parameters_of(llama_of(asked)) == pytest.approx(asked, rel=0.05)


def test_the_count_is_that_of_transformers() -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = {**llama_of(1e8), "num_hidden_layers": 1}
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**config))
    assert parameters_of(config) == sum(one.numel() for one in model.parameters())
