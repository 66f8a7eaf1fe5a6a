"""sentence-transformers' ``SentenceTransformerTrainer``, with any of its losses, on the user's texts.

A row of the data is a sample: its texts, in the order of the columns, and its label if it has one. A loss gets the rows
of a micro-batch together. If it compares texts of different rows (MultipleNegativesRankingLoss), it depends on the
micro-batch by its nature.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from accumcheck.declare.keys import Expected, Required, Section, Text
from accumcheck.declare.texts import MODEL
from accumcheck.errors import WorkloadError
from accumcheck.stacks.programs.start import is_installed, require_package
from accumcheck.stacks.protocol import OwnKey, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.programs.handover import Handover

PACKAGE = "sentence-transformers"


@dataclass(frozen=True, slots=True)
class SentenceTransformersConfig(Section):
    """The model, the data and the loss."""

    model: Annotated[str, MODEL, Required("model: ./my-embedder")]
    """Hub id, or local directory beginning with ./, ../, / or ~ (relative to the config file)."""
    train: Annotated[
        str, Text("the path of a JSON Lines file", r"\.jsonl$", located="file"), Required("train: pairs.jsonl")
    ]
    """JSON Lines file (relative to the config file): texts in the order that the loss takes, and a label or score."""
    loss: Annotated[
        str,
        Text("the name of a loss, for example CosineSimilarityLoss", r"^[A-Za-z_][A-Za-z0-9_]*$"),
        Required("loss: CosineSimilarityLoss"),
    ]
    """Class of sentence_transformers.losses."""
    loss_arguments: Annotated[dict[str, Any] | None, Expected("a mapping, for example {scale: 20.0}")] = None
    """Further arguments of the loss besides the model, by name."""


def _start(check: CheckConfig, handover: Handover) -> None:  # noqa: ARG001
    require_package(PACKAGE, check.stack)
    require_package("datasets", check.stack)
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from transformers import set_seed

    asked = check.own(SentenceTransformersConfig)
    rows = _rows(Path(asked.train))
    set_seed(check.seed)  # a loss may have its own weights
    model = SentenceTransformer(asked.model)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments("output", seed=check.seed),
        train_dataset=Dataset.from_list(rows),
        loss=find_loss(asked.loss)(model, **(asked.loss_arguments or {})),
    )
    trainer.train()


def find_loss(name: str) -> Any:
    """The loss class of that name.

    Raises:
        WorkloadError: there is no such class.
    """
    where = ("sentence_transformers.sentence_transformer.losses", "sentence_transformers.losses")  # the second up to 5
    losses = importlib.import_module(next(filter(is_installed, where)))
    found = getattr(losses, name, None)
    if found is None:
        from accumcheck.workload.causes import did_you_mean

        known = [one for one in dir(losses) if one.endswith("Loss")]
        raise WorkloadError(
            f"{PACKAGE} has no loss {name}{did_you_mean(name, known)}; expected a class of sentence_transformers.losses"
        )
    return found


def _rows(file: Path) -> list[dict[str, Any]]:
    from accumcheck.workload.sources import jsonl_rows

    rows = [row for _, row in jsonl_rows(str(file))]
    if not rows:
        raise WorkloadError(
            f"{file} has no rows; expected one JSON object per line, for example {json.dumps(_EXAMPLE)}"
        )
    return rows


_EXAMPLE = {"sentence1": "a text", "sentence2": "another", "score": 0.5}

SPEC = ProgramSpec(
    name="sentence-transformers",
    help="SentenceTransformerTrainer with one of its losses",
    package=PACKAGE,
    preload=("datasets", "sentence_transformers"),
    own=(
        OwnKey(
            "sentence_transformers",
            SentenceTransformersConfig | None,
            "With stack: sentence-transformers, the model, the data and the loss.",
            "sentence_transformers: {model: ./my-embedder, train: pairs.jsonl, loss: CosineSimilarityLoss}",
        ),
    ),
    start=_start,
    title=lambda check: f"SentenceTransformerTrainer with {check.own(SentenceTransformersConfig).loss}",
)
