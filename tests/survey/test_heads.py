"""Which classes of the installed transformers are heads."""

from __future__ import annotations

import transformers
from transformers import BertForMaskedLM, BertModel, Trainer

from accumcheck.survey.asked import Asked, Head
from accumcheck.survey.heads import find_heads, is_head


def test_a_head_computes_a_loss_of_labels() -> None:
    assert is_head(BertForMaskedLM)
    assert not is_head(BertModel)
    assert not is_head(Trainer)
    assert not is_head(None)


def test_the_heads_of_one_model_type() -> None:
    found = find_heads(Asked(match=("vit",)))
    assert Head("ViTForImageClassification", "models.vit.modeling_vit", "vit", "image-classification") in found
    assert {one.model_type for one in found} == {"vit"}
    assert all(hasattr(transformers, one.name) for one in found)


def test_tasks_and_names_choose() -> None:
    (only,) = find_heads(Asked(match=("Bert*",), tasks=("masked-lm",)))
    assert only == Head("BertForMaskedLM", "models.bert.modeling_bert", "bert", "masked-lm")
