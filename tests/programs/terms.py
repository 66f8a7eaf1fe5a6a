"""A training script whose loss has a term of its own, or whose model has a hook; right or wrong."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser, Trainer, TrainingArguments

sys.path.insert(0, str(Path(__file__).parent))
from train import collate, make_model, rows


@dataclass
class Options:
    divided: bool = field(default=False, metadata={"help": "the term is divided by the accumulation steps"})
    hook: bool = field(default=False, metadata={"help": "no term, but a hook that multiplies one gradient by them"})


class WithTerm(Trainer):
    """Adds a z-loss, a mean over the rows of the micro-batch, to the model's own loss."""

    divided = False

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch=num_items_in_batch)
        shown = inputs["attention_mask"]
        term = 0.1 * ((outputs.logits.logsumexp(-1).square() * shown).sum(1) / shown.sum(1)).mean()
        loss = loss + (term / self.args.gradient_accumulation_steps if self.divided else term)
        return (loss, outputs) if return_outputs else loss


def main() -> None:
    options, arguments = HfArgumentParser((Options, TrainingArguments)).parse_args_into_dataclasses()
    model = make_model()
    if options.hook:
        k = arguments.gradient_accumulation_steps
        model.model.norm.weight.register_hook(lambda gradient: gradient * k)
    kind = Trainer if options.hook else type("WithTerm", (WithTerm,), {"divided": options.divided})
    kind(model=model, args=arguments, train_dataset=rows(), data_collator=collate).train()


if __name__ == "__main__":
    main()
