"""What is asked for, and the check that each class gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.survey.asked import PROCESSES, Asked, Head, check_of, config_of, config_text, on_text_alone

HEAD = Head("BertForMaskedLM", "models.bert.modeling_bert", "bert", "masked-lm")


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (Asked(), True),
        (Asked(match=("bert",)), True),
        (Asked(match=("BERTFOR*",)), True),
        (Asked(match=("ForMaskedLM",)), False),  # a pattern is for the whole name
        (Asked(match=("llama", "*MaskedLM")), True),
        (Asked(tasks=("masked-lm",)), True),
        (Asked(tasks=("causal-lm",)), False),
        (Asked(match=("bert",), tasks=("causal-lm",)), False),
    ],
)
def test_a_class_is_asked_for_by_name_type_and_task(asked: Asked, wanted: bool) -> None:
    assert asked.wants(HEAD) is wanted


def test_what_may_be_wanted_is_seen_before_an_import() -> None:
    assert Asked(match=("bert",)).may_want("X", "bert")
    assert Asked(match=("Bert*",)).may_want("BertForMaskedLM", "elsewhere")
    assert Asked(match=("clip_text_model",)).may_want("X", "clip")  # the type of a part of the model
    assert not Asked(match=("llama",)).may_want("BertForMaskedLM", "bert")


@pytest.mark.parametrize("processes", PROCESSES)
def test_every_split_has_the_global_batch(processes: int) -> None:
    splits = Asked(processes=processes).splits
    assert len(splits) == (2 if processes == 1 else 3)
    assert {
        one.num_processes * one.per_device_train_batch_size * one.gradient_accumulation_steps for one in splits
    } == {8}
    assert splits[-1].num_processes == processes


def test_the_configuration_that_is_shown_is_the_check_that_is_run(tmp_path: Path) -> None:
    check = check_of(HEAD, Asked(processes=2).splits, 600.0)
    for one in (check, on_text_alone(check)):
        assert read_config(config_text(config_of(one)), Place("x.yaml"), tmp_path) == one
