"""A training script as users have it: HfArgumentParser, a model, a data set, a Trainer.

python configs/examples/train.py --model tiny/llama --data tiny/trl/train.jsonl --output_dir saves
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    HfArgumentParser,
    Trainer,
    TrainingArguments,
)


@dataclass
class Options:
    """What is trained on what."""

    model: str = field(metadata={"help": "a folder or a hub id"})
    data: Path = field(metadata={"help": "JSON Lines with prompt and completion"})


class Answers(torch.utils.data.Dataset[dict[str, Any]]):
    """Prompts, which are masked, and the completions that are learnt."""

    def __init__(self, path: Path, tokenizer: Any) -> None:
        self._rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self._tokenizer = tokenizer

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self._rows[index]
        prompt = self._tokenizer(row["prompt"])["input_ids"]
        completion = [*self._tokenizer(row["completion"])["input_ids"], self._tokenizer.eos_token_id]
        return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def make_trainer(options: Options, arguments: TrainingArguments) -> Trainer:
    """What is to be trained, on what, and how."""
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    return Trainer(
        model=AutoModelForCausalLM.from_pretrained(options.model),
        args=arguments,
        train_dataset=Answers(options.data, tokenizer),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
    )


def build_trainer(model: str, data: str) -> Trainer:
    """The same without a command line, for ``stack: callable`` and for pytest."""
    return make_trainer(Options(model, Path(data)), TrainingArguments("saves"))


def main() -> None:
    """Train."""
    trainer = make_trainer(*HfArgumentParser((Options, TrainingArguments)).parse_args_into_dataclasses())
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
