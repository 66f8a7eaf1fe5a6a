"""Correct runs. Each must pass without a finding."""

from __future__ import annotations

from accumcheck.selftest.case import Case, in_program, in_trainer

TIED = {"tie_word_embeddings": True}

OF_NOTHING = (
    Case("float32", in_trainer("none"), ""),
    Case("float64", in_trainer("none", dtype="float64"), ""),
    Case("bfloat16", in_trainer("none", dtype="bfloat16"), ""),
    Case("float16", in_trainer("none", dtype="float16"), ""),
    Case("GPT-2", in_trainer("none", config={"model_type": "gpt2"}, shrink=True), ""),
    Case("LLaVA", in_trainer("none", config={"model_type": "llava"}, shrink=True), ""),
    Case("a whole epoch", in_trainer("none", samples=12), ""),
    Case("one process", in_trainer("none", splits=("1x8x1", "1x1x8")), ""),
    Case("checkpointing", in_trainer("none", training_arguments={"gradient_checkpointing": True}), ""),
    Case("a loop", in_program("none"), ""),
    Case("a loop that clips", in_program("clips-once"), ""),
    Case("a loop, tied", in_program("tied"), ""),
)
