"""A training script as users have it: arguments, a model, data, a Trainer, and something after training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import HfArgumentParser, LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed


@dataclass
class Options:
    ignores_count: bool = field(default=False, metadata={"help": "a model that ignores the token count it is passed"})
    flatten: bool = field(default=False, metadata={"help": "padding-free batches"})
    after: str = field(default="", metadata={"help": "a file to write when training has ended"})


class CountIgnored(LlamaForCausalLM):
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("num_items_in_batch", None)
        return super().forward(*args, **kwargs)


def make_model(kind: type[LlamaForCausalLM] = LlamaForCausalLM) -> LlamaForCausalLM:
    set_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return kind(LlamaConfig(vocab_size=128, attention_dropout=0.1, **sizes))


def rows(count: int = 64) -> list[list[int]]:
    draw = torch.Generator().manual_seed(1)
    lengths = torch.randint(4, 24, (count,), generator=draw).tolist()
    made = [torch.randint(1, 128, (length,), generator=draw).tolist() for length in lengths]
    made[1] = made[0]  # data sets have rows that are alike
    return made


def collate(batch: list[list[int]]) -> dict[str, torch.Tensor]:
    longest = max(map(len, batch))
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for place, row in enumerate(batch):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
        labels[place, 1 : len(row)] = torch.tensor(row[1:])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def flatten(batch: list[list[int]]) -> dict[str, torch.Tensor]:
    ids = torch.tensor([[token for row in batch for token in row]])
    labels = torch.tensor([[-100 if place == 0 else token for row in batch for place, token in enumerate(row)]])
    positions = torch.tensor([[place for row in batch for place in range(len(row))]])
    return {"input_ids": ids, "labels": labels, "position_ids": positions}


def main() -> None:
    options, arguments = HfArgumentParser((Options, TrainingArguments)).parse_args_into_dataclasses()
    model = make_model(CountIgnored if options.ignores_count else LlamaForCausalLM)
    collator = flatten if options.flatten else collate
    trainer = Trainer(model=model, args=arguments, train_dataset=rows(), data_collator=collator)
    trainer.train()
    if options.after:
        Path(options.after).write_text("trained", encoding="utf-8")


def build_trainer() -> Trainer:
    arguments = TrainingArguments("unused", label_smoothing_factor=0.1)
    return Trainer(model=make_model(), args=arguments, train_dataset=rows(), data_collator=collate)


if __name__ == "__main__":
    main()
