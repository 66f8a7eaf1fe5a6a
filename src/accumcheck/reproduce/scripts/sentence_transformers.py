"""The script of the stack sentence-transformers: SentenceTransformerTrainer with a loss over pairs."""

from __future__ import annotations

from accumcheck.reproduce.scripts.recipe import Recipe

RECIPE = Recipe(
    stack="sentence-transformers",
    feeds="texts",
    imports=(
        "from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, losses as all_losses\n"
        "from sentence_transformers import SentenceTransformerTrainingArguments"
    ),
    parts={
        "transformers": "AutoConfig, AutoModel",
        "model": (
            "folder = tempfile.mkdtemp()\n"
            'AutoModel.from_config(AutoConfig.for_model("{model_type}", **CONFIG)).save_pretrained(folder)\n'
            "tokenizer.save_pretrained(folder)\n"
            'model = SentenceTransformer(folder, device="cpu")'
        ),
        "arguments": "SentenceTransformerTrainingArguments",
        "trainer": (
            "SentenceTransformerTrainer(model, arguments, Dataset.from_list(ROWS), optimizers=(optimizer, constant),\n"
            "                                     loss=all_losses.{loss})"
        ),
        "rows": "trainer.train_dataset",
        "count": "1",
    },
)
