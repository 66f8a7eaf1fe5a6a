"""Values of the environment that are hidden wherever a program prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.redaction.texts import redacted_text
from accumcheck.redaction.variables import secret_values


@pytest.mark.parametrize("name", ["MY_TOKEN", "DB_PASSWORD", "X_API_KEY", "CLIENT_SECRET"])
def test_the_value_of_a_variable_with_a_secrets_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "tr0ub4dor&3")
    assert redacted_text("cannot log in with tr0ub4dor&3!") == "cannot log in with (hidden)!"


def test_as_json_and_addresses_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", 'a"b/c d\\é1')
    assert redacted_text('{"x": "a\\"b/c d\\\\\\u00e91"}') == '{"x": "(hidden)"}'
    assert redacted_text("?q=a%22b/c%20d%5C%C3%A91") == "?q=(hidden)"


def test_one_inside_another_leaves_nothing_of_the_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "abcd1234")
    monkeypatch.setenv("B_TOKEN", "abcd1234efgh5678")
    assert redacted_text("abcd1234efgh5678 abcd1234") == "(hidden) (hidden)"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MY_TOKEN", "trainer"),  # an ordinary word
        ("MY_PASSWORD", "password"),
        ("MY_PASSWORD", "12345678"),
        ("MY_TOKEN", "x1"),
        ("MY_TOKEN", "true"),
        ("MY_TOKEN", "$OTHER_TOKEN"),
        ("MAX_TOKENS", "abcd1234efgh5678"),
        ("PATH", "/usr/bin:/usr/local/bin"),
        ("USER_NAME", "abcd1234efgh5678"),
    ],
)
def test_words_and_other_variables_stay(name: str, value: str) -> None:
    assert secret_values({name: value}) is None


def test_a_file_that_holds_a_secret_may_be_named(tmp_path: Path) -> None:
    key = tmp_path / "key-1.json"
    assert secret_values({"GOOGLE_APPLICATION_CREDENTIALS": str(key)}) is not None
    key.write_text("{}")
    assert secret_values({"GOOGLE_APPLICATION_CREDENTIALS": str(key)}) is None
