"""A training script that draws its weights anew in every run, or moves them at a learning rate of 0."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from transformers import HfArgumentParser, Trainer, TrainingArguments

sys.path.insert(0, str(Path(__file__).parent))
from train import collate, make_model, rows


class Moves(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter += 1e-3
        return super().step(closure)


def main() -> None:
    moves = "--moves" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--moves"]
    (arguments,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses()
    model = make_model()
    if not moves:
        torch.seed()
        torch.nn.init.normal_(model.lm_head.weight)
    optimizers = (Moves(model.parameters(), lr=1e-3), None) if moves else (None, None)
    Trainer(model=model, args=arguments, train_dataset=rows(), data_collator=collate, optimizers=optimizers).train()


if __name__ == "__main__":
    main()
