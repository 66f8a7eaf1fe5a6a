"""JSON text, read strictly."""

from __future__ import annotations

import pytest

from accumcheck.errors import ConfigError
from accumcheck.saved.parse import DEEPEST, parse


def test_valid_json_is_read() -> None:
    assert parse('{"a": [1, 2.5, null, true, "\\u00fc \\ud83d\\ude00"], "b": {}}') == {
        "a": [1, 2.5, None, True, "ü \N{GRINNING FACE}"],
        "b": {},
    }


def test_nesting_up_to_the_limit_is_read() -> None:
    assert parse("[" * DEEPEST + "]" * DEEPEST)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON: found an empty file"),
        ("{'a': 1}", "not valid JSON"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": -Infinity}', "-Infinity is not a JSON number"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' appears twice in an object"),
        ('[{"b": {"a": 1, "a": 1}}]', "the key 'a' appears twice in an object"),
        ('{"a": ["\\ud800"]}', "half a surrogate pair"),
        ('{"\\udfff": 1}', "half a surrogate pair"),
        ('["\\uD800"]', "half a surrogate pair"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "more than 100 levels of lists and objects"),
        ('{"a":' * 200_000 + "1" + "}" * 200_000, "more than 100 levels of lists and objects"),
        ("[" * 200_000, "more than 100 levels of lists and objects"),
        (f"[{'9' * 301}]", "a number of more than 300 digits"),
        (f"-{'9' * 10}" + "9" * 2_000_000, ""),
    ],
)
def test_what_is_not_json_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
