"""Secrets in nested records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from accumcheck.record import Split
from accumcheck.redaction import HIDDEN, redacted


@dataclass(frozen=True, slots=True)
class Inner:
    words: tuple[str, ...]
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outer:
    inner: Inner
    reason: str
    split: Split | None = None


class Pair(NamedTuple):
    one: str
    two: str


@pytest.mark.parametrize("name", ["token", "hub_token", "api-key", "private_key", "clientSecret", "HF_TOKEN"])
def test_by_the_name_of_the_key_in_any_nesting(name: str) -> None:
    given = {"a": [{"b": ({name: "open sesame", "steps": 1},)}]}
    assert redacted(given) == {"a": [{"b": ({name: HIDDEN, "steps": 1},)}]}


def test_everything_under_a_secrets_name_goes_and_what_says_nothing_stays() -> None:
    given = {"credentials": {"user": "me", "parts": ["a1", 7], "none": None, "use": True, "empty": ""}}
    assert redacted(given) == {
        "credentials": {"user": HIDDEN, "parts": [HIDDEN, HIDDEN], "none": None, "use": True, "empty": ""}
    }


def test_by_the_flag_before_it_in_a_list_of_words() -> None:
    given = ["--hub_token", "X", "--lr", "1e-4", "--api-key=Y", "-password", "Z", "--token", "--steps", "5"]
    assert redacted(given) == [
        *("--hub_token", HIDDEN, "--lr", "1e-4", f"--api-key={HIDDEN}", "-password", HIDDEN, "--token", "--steps", "5")
    ]


def test_what_is_no_secret_stays_the_same_object_or_an_equal_one() -> None:
    record = Outer(
        Inner(("--max_tokens", "5", "--tokenizer", "gpt2"), {"max_tokens": 5, "pad_token_id": 0}),
        "fine",
        Split(1, 2, 3),
    )
    assert redacted(record) is record
    plain = {"eos_token": "</s>", "image_token": "<image>", "num_items_in_batch": 5, "nan": float("inf"), "pad": (1, 2)}
    assert redacted(plain) == plain


def test_records_keep_their_types() -> None:
    record = Outer(Inner(("--hub_token", "X"), {"password": 12345}), "login failed: --password X")
    found = redacted(record)
    assert found == Outer(Inner(("--hub_token", HIDDEN), {"password": HIDDEN}), f"login failed: --password {HIDDEN}")
    assert redacted(Pair("--hub_token", "X")) == Pair("--hub_token", HIDDEN)
    assert redacted(found) is found


def test_a_secret_that_is_a_key_goes_too() -> None:
    token = "hf_" + "a" * 34
    assert redacted({token: 1, "x": {2: token}}) == {HIDDEN: 1, "x": {2: HIDDEN}}
