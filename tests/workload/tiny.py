"""The smallest models that these tests train, as inline configs."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from accumcheck.config.model import CheckConfig, DataConfig, ModelConfig, SyntheticData

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "vocab_size": 96,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 256,
}
# 32 pixels in patches of 16: four patches, and a class token that LLaVA leaves out by default.
LLAVA: dict[str, Any] = {
    "model_type": "llava",
    "text_config": LLAMA,
    "vision_config": {
        "model_type": "clip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 16,
        "projection_dim": 32,
    },
    "image_token_index": 95,
}


def check(model: ModelConfig, *, seed: int = 0, **synthetic: Any) -> CheckConfig:
    """A check on synthetic data."""
    return CheckConfig(
        model=model,
        global_batch_size=8,
        splits=None,
        data=DataConfig(synthetic=SyntheticData(**synthetic)),
        seed=seed,
    )
