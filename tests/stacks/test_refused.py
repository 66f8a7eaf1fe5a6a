"""Trainers that cannot be checked are refused when they are made, and their arguments before them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import transformers

from accumcheck.capture.patches import Patches, Seam
from accumcheck.errors import UnsupportedProgramError
from accumcheck.stacks.programs.refused import check_kind
from accumcheck.stacks.programs.settings import override
from accumcheck.stacks.programs.watch import Watch


def kind(name: str, *above: type, **members: Any) -> type:
    return type(name, above, members)


KTO = kind("KTOTrainer", transformers.Trainer)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (KTO, "KTOTrainer compares every answer with an estimate"),
        (kind("CustomKTOTrainer", KTO), "CustomKTOTrainer, a KTOTrainer, compares every answer"),
        (kind("GRPOConfig"), "GRPO (GRPOConfig) trains on answers that its model generates at random"),
        (kind("Mine", kind("PPOConfig")), "Mine, a PPOConfig, trains on answers"),
        (kind("MyRLTrainer", _generate_and_score_completions=None), "MyRLTrainer trains on answers"),
    ],
)
def test_a_kind_without_a_right_answer_is_refused_by_one_sentence(made: type, said: str) -> None:
    with pytest.raises(UnsupportedProgramError) as raised:
        check_kind(made)
    assert str(raised.value).startswith(said)
    assert raised.value.ends_run


@pytest.mark.parametrize(
    "made",
    [
        kind("DPOTrainer", generate_from_model_and_ref=None),
        kind("SFTConfig"),
        kind("RewardTrainer"),
        transformers.Trainer,
        transformers.TrainingArguments,
        kind("KTO"),
        kind("Model", generate_completions=None),
    ],
)
def test_others_are_not(made: type) -> None:
    check_kind(made)


@pytest.fixture
def patches() -> Iterator[Patches]:
    with Patches({Seam.TRAINER, Seam.TRAINING_ARGUMENTS, Seam.OPTIMIZER, Seam.SCHEDULE}) as patches:
        yield patches


def test_it_is_refused_before_the_trainer_has_done_anything(patches: Patches) -> None:
    Watch(None, patches)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedProgramError, match="KTOTrainer compares"):
        KTO(model="no model is loaded")


def test_it_is_refused_where_its_arguments_are_made(patches: Patches) -> None:
    override({}, patches, updates=True)
    with pytest.raises(UnsupportedProgramError, match=r"GRPO \(GRPOConfig\) trains on answers"):
        kind("GRPOConfig", transformers.TrainingArguments)("out")
    transformers.TrainingArguments("out")
