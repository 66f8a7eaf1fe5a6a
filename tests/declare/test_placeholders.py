"""Placeholders of a split's numbers: which there are, what they become, and which braces are the program's own."""

from __future__ import annotations

import pytest

from accumcheck.declare.placeholders import fill, names_in, numbers_of, unknown
from accumcheck.record import Split

NUMBERS = numbers_of(Split(2, 3, 4), 5)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{per_device_train_batch_size}", "3"),
        ("--k={gradient_accumulation_steps},n={num_processes}", "--k=4,n=2"),
        ("{global_batch_size}", "24"),
        ("{steps}", "5"),
        ("{gradient_accumulation_steps*num_processes}", "8"),
        ("{ k * n }", "{ k * n }"),
        ("{k * n}", "8"),
        ("{b}{k}{n}{B}", "34224"),
        ("{world_size}", "2"),
        ("{micro_batch_size * num_gpus}", "6"),
    ],
)
def test_numbers_take_the_place_of_their_names(text: str, filled: str) -> None:
    assert fill(text, NUMBERS) == filled


@pytest.mark.parametrize(
    "text",
    ['{"a": {"k": 1}}', "{0}", "{epoch:02d}", "${hydra:run.dir}", "${k}", "{}", "{a-b}", "{k*}", "plain", "{{k}"],
)
def test_other_braces_are_the_programs_own(text: str) -> None:
    assert fill(text, NUMBERS) == text
    assert unknown(text) == ""


def test_a_placeholder_is_passed_on_where_it_is_written_twice() -> None:
    assert fill("step-{{k}}-{k}", NUMBERS) == "step-{k}-4"
    assert list(names_in("step-{{k}}-{k}")) == ["gradient_accumulation_steps"]
    assert unknown("{{epoch}}") == ""


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("{per_device_batch_size}", "did you mean {per_device_train_batch_size}?"),
        ("--x={gradient_accumulation_step*n}", "did you mean {gradient_accumulation_steps}?"),
        ("{epoch}", "{epoch} is not a placeholder; expected {per_device_train_batch_size}, "),
    ],
)
def test_a_name_that_is_not_known_is_said_with_the_closest_one(text: str, meant: str) -> None:
    assert meant in unknown(text)
    assert "Double the braces that belong to the program: {{" in unknown(text)
    assert fill(text, NUMBERS) == text
