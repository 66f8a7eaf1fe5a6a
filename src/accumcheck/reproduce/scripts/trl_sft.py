"""The script of the stack trl-sft: TRL's SFTTrainer."""

from __future__ import annotations

from accumcheck.reproduce.scripts.recipe import Recipe
from accumcheck.reproduce.scripts.texts import TRAIN_ROWS

RECIPE = Recipe(
    stack="trl-sft",
    feeds="texts",
    imports="from trl import SFTConfig, SFTTrainer",
    parts={
        "transformers": "AutoConfig, AutoModelForCausalLM",
        "model": 'model = AutoModelForCausalLM.from_config(AutoConfig.for_model("{model_type}", **CONFIG))',
        "arguments": "SFTConfig",
        "trainer": (
            "SFTTrainer(model, arguments, train_dataset=Dataset.from_list(ROWS), processing_class=tokenizer,\n"
            "                     optimizers=(optimizer, constant))"
        ),
        "rows": TRAIN_ROWS,
        "count": '(batch["labels"][:, 1:] != -100).sum()',
    },
)
