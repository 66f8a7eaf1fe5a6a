"""The model and data of the self-test's program: a tiny Llama, and rows of varied length."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

Batch = dict[str, torch.Tensor]
VOCABULARY = 64
IGNORED = -100


def llama(**changes: Any) -> LlamaForCausalLM:
    """A tiny Llama. The same seed gives the same weights; ``changes``: changes of its config."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(**{**sizes, "vocab_size": VOCABULARY, "initializer_range": 0.2, **changes})
    return LlamaForCausalLM(config).train()


def rows(count: int, equal: int | None = None) -> list[torch.Tensor]:
    """Rows of 5 to 24 tokens, or of ``equal`` tokens each."""
    draw = torch.Generator().manual_seed(1)
    lengths = torch.randint(5, 25, (count,), generator=draw).tolist()
    return [torch.randint(1, VOCABULARY, (equal or length,), generator=draw) for length in lengths]


def padded(mine: list[torch.Tensor], *, left: bool = False) -> Batch:
    """A micro-batch of these rows, padded on the right or the left."""
    longest = max(map(len, mine))
    ids, labels, mask = (torch.full((len(mine), longest), fill) for fill in (0, IGNORED, 0))
    for at, row in enumerate(mine):
        place = slice(longest - len(row), None) if left else slice(len(row))
        ids[at, place], labels[at, place], mask[at, place] = row, row, 1
        labels[at, longest - len(row) if left else 0] = IGNORED  # it must not be predicted from padding
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def tokens(batch: Batch) -> int:
    """The number of predicted tokens."""
    return int((batch["labels"][:, 1:] != IGNORED).sum())


def own_loss(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """The mean cross entropy of the predicted tokens, computed from the logits."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=IGNORED)
