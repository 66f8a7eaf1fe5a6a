"""Shrinking by one factor."""

from __future__ import annotations

from transformers import BertConfig, SwinConfig

from accumcheck.workload.shrink_evenly import shrink_evenly


def test_every_width_is_an_eighth_and_heads_stay() -> None:
    full = SwinConfig()
    small = shrink_evenly(full)
    assert (full.embed_dim, small.embed_dim) == (96, 12)
    assert (small.num_heads, small.image_size, small.window_size) == (full.num_heads, full.image_size, full.window_size)
    assert tuple(small.depths) == (2, 2, 3, 2)
    assert tuple(full.depths) == (2, 2, 6, 2)


def test_widths_keep_their_proportion() -> None:
    small = shrink_evenly(BertConfig(hidden_size=256, intermediate_size=1024, num_attention_heads=8))
    assert (small.hidden_size, small.intermediate_size, small.num_attention_heads) == (32, 128, 8)
    assert small.vocab_size == 256
    assert small.num_hidden_layers == 4


def test_a_width_that_does_not_divide_stays() -> None:
    small = shrink_evenly(BertConfig(hidden_size=60, intermediate_size=100, num_attention_heads=4))
    assert (small.hidden_size, small.intermediate_size) == (60, 100)
