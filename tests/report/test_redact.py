"""What is hidden in a shared report, and what is not."""

from __future__ import annotations

import json

import pytest

from accumcheck.report.as_json import report_to_json
from accumcheck.report.html import text as html
from accumcheck.report.redact import HIDDEN, without_secrets

from . import examples


@pytest.mark.parametrize(
    "key", ["hub_token", "push_to_hub_token", "token", "HF_TOKEN", "api_key", "my_password", "secret"]
)
def test_secrets_are_hidden_wherever_they_stand(key: str) -> None:
    config = {"training_arguments": {"nested": [{key: "open sesame"}]}, "steps": 1}
    assert without_secrets(config) == {"training_arguments": {"nested": [{key: HIDDEN}]}, "steps": 1}


@pytest.mark.parametrize("key", ["eos_token_id", "image_token_index", "average_tokens_across_devices", "tokens"])
def test_what_only_sounds_like_one_stays(key: str) -> None:
    assert without_secrets({"training_arguments": {key: "value"}}) == {"training_arguments": {key: "value"}}


def test_a_models_own_tokens_stay_and_so_do_numbers_and_nothing() -> None:
    config = {"model": {"config": {"eos_token": "</s>"}, "revision": None}, "training_arguments": {"hub_token": None}}
    assert without_secrets(config) == config
    assert without_secrets({"model": {"name_or_path": "x", "token": "open"}})["model"]["token"] == HIDDEN


def test_the_user_of_an_address_is_hidden() -> None:
    found = without_secrets({"data": {"jsonl": "https://user:word@example.org/a.jsonl", "mail": "a@example.org"}})
    assert found == {"data": {"jsonl": f"https://{HIDDEN}@example.org/a.jsonl", "mail": "a@example.org"}}


def test_no_format_shows_them() -> None:
    plain = json.loads(report_to_json(examples.hostile()))
    assert plain["config"]["training_arguments"]["hub_token"] == HIDDEN
    assert "hf_open" not in report_to_json(examples.hostile()) + html(examples.hostile())
