"""Inputs read from the documentation of a forward."""

from __future__ import annotations

from typing import Any

from transformers import BertConfig

from accumcheck.workload.documented import documented_inputs


class Model:
    def forward(self, input_ids: Any, region: Any = None, labels: Any = None, ends: Any = None) -> None:
        r"""
        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                Text.
            region (`torch.FloatTensor` of shape `(batch_size, num_regions, hidden_size)`):
                Of shape `(nothing)`.
            labels ('torch.LongTensor' of shape '(batch_size, total_sequence_length, 3)', *optional*):
                Labels.
            unknown (`torch.LongTensor` of shape `(batch_size,)`):
                No parameter.
        """


def test_the_shapes_of_one_row() -> None:
    found = documented_inputs(Model())
    assert list(found) == ["input_ids", "region", "labels"]
    shapes = {name: one.shape(BertConfig(hidden_size=48), {"length": 9}) for name, one in found.items()}
    # of a dimension without a known size there are two; the whole sequence is the text and two regions
    assert shapes == {"input_ids": (9,), "region": (2, 48), "labels": (11, 3)}
    assert {name: one.is_whole for name, one in found.items()} == {"input_ids": True, "region": False, "labels": True}


def test_a_model_of_transformers() -> None:
    from transformers import VisualBertConfig, VisualBertForPreTraining

    config = VisualBertConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        visual_embedding_dim=24,
    )
    found = documented_inputs(VisualBertForPreTraining(config))
    assert found["visual_embeds"].shape(config, {"length": 5}) == (2, 24)
    assert found["sentence_image_labels"].shape(config, {"length": 5}) == ()
