"""The small model that a script makes: its configuration says only what differs from the defaults."""

from __future__ import annotations

from typing import Any

import pytest

from accumcheck.record import Split
from accumcheck.reproduce.case import Case, Field, Heading, Subject
from accumcheck.reproduce.describe import describe
from accumcheck.reproduce.script import MOST_LINES, script

pytestmark = pytest.mark.slow

HEADING = Heading("A summary of one line.", ("transformers 4.49.0",), "transformers/x.py:1", "https://example.org/1")


def described(model_type: str, architecture: str, rows: int = 2) -> dict[str, Any]:
    """What the worker writes for the smallest model of an architecture."""
    model = {"config": {"model_type": model_type}, "architecture": architecture}
    asked = {"model": model, "rows": rows, "shrink": True, "seed": 0, "layers": 1, "longest": 6}
    return describe(asked)


def test_the_parts_of_a_composite_configuration_and_its_own_values_are_without_defaults() -> None:
    transformers = pytest.importorskip("transformers")
    config = described("llava", "LlavaForConditionalGeneration")["config"]
    assert not [name for name in config if name.startswith("_")]
    assert config["text_config"]["model_type"] == "llama"
    assert config["text_config"]["num_hidden_layers"] == 1
    defaults = transformers.LlavaConfig()
    for name in ("projector_hidden_act", "multimodal_projector_bias", "vision_feature_select_strategy"):
        assert hasattr(defaults, name)
        assert name not in config
    assert "initializer_range" not in config["text_config"]


def test_the_script_of_a_vision_language_model_is_short_enough() -> None:
    pytest.importorskip("transformers")
    found = described("llava", "LlavaForConditionalGeneration")
    rows = tuple({name: Field(**value) for name, value in row.items()} for row in found.pop("rows"))
    subject = Subject(**{**found, "joined": tuple(found["joined"])}, rows=rows)
    text = script(Case("trainer", Split.parse("1x1x2"), subject, {}), HEADING)
    compile(text, "repro.py", "exec")
    assert text.count("\n") <= MOST_LINES
