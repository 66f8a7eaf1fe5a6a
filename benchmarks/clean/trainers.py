"""Correct Trainers of a user: frozen layers, tied weights, LoRA. ``stack: callable`` calls `build`."""

from __future__ import annotations

from typing import Any

import torch


def build(kind: str, shortest: int, longest: int, dtype: str, checkpointing: bool) -> Any:
    """A Trainer of a tiny causal model on rows of varied length; ``plain``, ``frozen``, ``tied`` or ``lora``."""
    from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed

    set_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model: Any = LlamaForCausalLM(LlamaConfig(vocab_size=128, tie_word_embeddings=kind == "tied", **sizes))
    model = model.to(getattr(torch, dtype))
    if kind == "frozen":
        model.model.embed_tokens.requires_grad_(False)
        model.model.layers[0].requires_grad_(False)
    if kind == "lora":
        from peft import LoraConfig, get_peft_model

        # not the usual start at zero: the gradient of the other factor would be zero and untested
        lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
        model = get_peft_model(model, lora)
    arguments = TrainingArguments("unused", gradient_checkpointing=checkpointing, report_to=[])
    return Trainer(model, arguments, train_dataset=_rows(shortest, longest), data_collator=_padded)


def _rows(shortest: int, longest: int, count: int = 96) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(2)
    lengths = torch.randint(shortest, longest + 1, (count,), generator=draw).tolist()
    return [torch.randint(1, 128, (length,), generator=draw) for length in lengths]


def _padded(rows: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    longest = max(map(len, rows))
    ids, labels, mask = (torch.full((len(rows), longest), fill) for fill in (0, -100, 0))
    for at, row in enumerate(rows):
        ids[at, : len(row)], labels[at, : len(row)], mask[at, : len(row)] = row, row, 1
    labels[:, 0] = -100
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}
