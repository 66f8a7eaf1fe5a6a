"""The stacks that have scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from accumcheck.reproduce.scripts import (
    accelerate,
    sentence_transformers,
    texts,
    trainer,
    trl_dpo,
    trl_reward,
    trl_sft,
)
from accumcheck.reproduce.scripts.recipe import Recipe

RECIPES: Mapping[str, Recipe] = {
    module.RECIPE.stack: module.RECIPE
    for module in (trainer, accelerate, trl_sft, trl_dpo, trl_reward, sentence_transformers)
}
"""The recipes by the name of the stack."""

STACKS = tuple(RECIPES)
"""The stacks that have scripts."""

TEXT_STACKS = tuple(name for name, recipe in RECIPES.items() if recipe.feeds == "texts")
"""The stacks whose scripts train on texts."""


def _set_in(text: str) -> frozenset[str]:
    names = re.findall(r"(\w+)=", text.split("arguments = ")[1].split("{more}")[0])
    return frozenset({*names, "output_dir"})


SET_BY_SCRIPT = _set_in(trainer.RECIPE.loop)
"""Training arguments that the trainer's script sets itself. The values of the case are ignored for these."""
SET_BY_TEXTS = _set_in(texts.MIDDLE)
"""The same for scripts that train on texts."""
