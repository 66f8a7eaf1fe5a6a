"""A training script that draws its weights anew in every run, or moves them outside of its optimizer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from transformers import HfArgumentParser, Trainer, TrainerCallback, TrainingArguments

sys.path.insert(0, str(Path(__file__).parent))
from train import collate, make_model, rows


class Moves(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 1e-3


def main() -> None:
    moves = "--moves" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--moves"]
    (arguments,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()
    model = make_model()
    if not moves:
        torch.seed()
        torch.nn.init.normal_(model.lm_head.weight)
    callbacks = [Moves()] if moves else []
    Trainer(model=model, args=arguments, train_dataset=rows(), data_collator=collate, callbacks=callbacks).train()


if __name__ == "__main__":
    main()
