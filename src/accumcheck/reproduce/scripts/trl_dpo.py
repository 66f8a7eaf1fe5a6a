"""The script of the stack trl-dpo: TRL's DPOTrainer. A row is a pair of answers and has one loss."""

from __future__ import annotations

from accumcheck.reproduce.scripts.recipe import Recipe
from accumcheck.reproduce.scripts.texts import TRAIN_ROWS

RECIPE = Recipe(
    stack="trl-dpo",
    feeds="texts",
    imports="from trl import DPOConfig, DPOTrainer",
    parts={
        "transformers": "AutoConfig, AutoModelForCausalLM",
        "model": 'model = AutoModelForCausalLM.from_config(AutoConfig.for_model("{model_type}", **CONFIG))',
        "arguments": "DPOConfig",
        "trainer": (
            "DPOTrainer(model, copy.deepcopy(model), arguments, train_dataset=Dataset.from_list(ROWS),\n"
            "                     processing_class=tokenizer, optimizers=(optimizer, constant))"
        ),
        "rows": TRAIN_ROWS,
        "count": "1",
    },
)
