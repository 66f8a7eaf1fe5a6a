"""The script of the stack trl-reward: TRL's RewardTrainer. A row is a pair of answers and has one loss."""

from __future__ import annotations

from accumcheck.reproduce.scripts.recipe import Recipe
from accumcheck.reproduce.scripts.texts import TRAIN_ROWS

RECIPE = Recipe(
    stack="trl-reward",
    feeds="texts",
    imports="from trl import RewardConfig, RewardTrainer",
    parts={
        "transformers": "AutoConfig, AutoModelForSequenceClassification",
        "model": (
            'config = AutoConfig.for_model("{model_type}", num_labels=1, **CONFIG)\n'
            "model = AutoModelForSequenceClassification.from_config(config)"
        ),
        "arguments": "RewardConfig",
        "trainer": (
            "RewardTrainer(model, arguments, train_dataset=Dataset.from_list(ROWS), processing_class=tokenizer,\n"
            "                        optimizers=(optimizer, constant))"
        ),
        "rows": TRAIN_ROWS,
        "count": "1",
    },
)
