"""Errors in a part of a saved file."""

from __future__ import annotations

import pytest

from accumcheck.errors import ConfigError
from accumcheck.saved.places import under


def test_a_line_with_a_place_of_its_own_is_joined_to_it_and_any_other_line_stands_alone() -> None:
    with pytest.raises(ConfigError) as error, under("report.json", ": "), under("old"):
        raise ConfigError("verdict: found 1, expected a text\nand 3 more")
    assert str(error.value) == "report.json: old.verdict: found 1, expected a text\nreport.json: old: and 3 more"
