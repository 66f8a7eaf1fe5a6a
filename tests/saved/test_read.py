"""Saved reports, checked against the types of their records: what is wrong is named with its place."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from accumcheck.errors import ConfigError
from accumcheck.record import Divergence, Report, Tolerances
from accumcheck.saved.kinds import CHECK
from accumcheck.saved.read import record_from
from accumcheck.saved.reports import report_to_dict
from tests.report import examples

PLAIN = report_to_dict(examples.llava_449())


def changed(place: str, value: Any) -> dict[str, Any]:
    """The report with another value at ``splits.1.verdict``."""
    plain = copy.deepcopy(PLAIN)
    *way, last = place.split(".")
    inside: Any = plain
    for key in way:
        inside = inside[int(key)] if isinstance(inside, list) else inside[key]
    inside[int(last) if isinstance(inside, list) else last] = value
    return plain


def without(place: str) -> dict[str, Any]:
    plain = copy.deepcopy(PLAIN)
    *way, last = place.split(".")
    inside: Any = plain
    for key in way:
        inside = inside[int(key)] if isinstance(inside, list) else inside[key]
    del inside[last]
    return plain


def refused(plain: Any) -> str:
    with pytest.raises(ConfigError) as error:
        record_from(Report, plain)
    return str(error.value)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("verdict", "maybe", "verdict: found \"maybe\", expected 'pass', 'warn', 'fail', 'error' or 'skipped'"),
        ("exit_code", 7, "exit_code: found 7, expected 0, 1, 2, 3 or 130"),
        ("exit_code", True, "exit_code: found true, expected 0, 1, 2, 3 or 130"),
        ("strict", 1, "strict: found 1, expected true or false"),
        ("started_at", None, "started_at: found null, expected a text"),
        ("config", [], "config: found [], expected an object"),
        ("splits", {}, "splits: found {}, expected a list"),
        ("splits.1", 7, "splits[1]: found 7, expected an object"),
        ("splits.1.split", "4x16", 'splits[1].split: found "4x16", expected a split, n x b x k, such as 4x16x2'),
        ("splits.1.num_processes", 3, "splits[1].num_processes: found 3, but split is 4x16x2"),
        ("splits.1.steps.2.loss", "2.0", 'splits[1].steps[2].loss: found "2.0", expected a number'),
        ("splits.1.steps.2.loss", True, "splits[1].steps[2].loss: found true, expected a number"),
        ("splits.1.steps.2.tokens", -1, "splits[1].steps[2].tokens: found -1, expected greater than or equal to 0"),
        ("splits.1.steps.2.tokens", 3.0, "splits[1].steps[2].tokens: found 3.0, expected a whole number"),
        (
            "splits.1.sample_weights.values",
            [1, None],
            "splits[1].sample_weights.values[1]: found null, expected a numb",
        ),
        ("tolerances.loss", None, "tolerances.loss: found null, expected a number"),
        ("tolerances.origins.loss.chosen", "me", 'tolerances.origins.loss.chosen: found "me", expected \'configurat'),
        ("findings.0.splits.0", "all", 'findings[0].splits[0]: found "all", expected a split'),
        ("findings.0.known.0.url", 1, "findings[0].known[0].url: found 1, expected a text"),
        ("alternatives.loss", "none", 'alternatives.loss: found "none", expected a list'),
        ("config_file", {"path": "a", "line": 0, "splits": {}}, "config_file.line: found 0, expected greater than or"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_place(place: str, value: Any, said: str) -> None:
    assert refused(changed(place, value)).startswith(said)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("verdict", "'pass', 'warn', 'fail', 'error' or 'skipped'"),
        ("exit_code", "0, 1, 2, 3 or 130"),
        ("config", "an object"),
        ("findings", "a list"),
        ("splits.0.steps", "a list"),
        ("splits.1.split", "a split, n x b x k, such as 4x16x2"),
        ("splits.1.steps.0.loss", "a number, or one of the strings NaN, Infinity and -Infinity"),
        ("splits.1.steps.0.tokens", "a whole number"),
        ("alternatives.loss", "a list"),
        ("findings.0.id", "a text"),
    ],
)
def test_what_every_version_writes_must_be_there(place: str, expected: str) -> None:
    way = place.replace(".0.", "[0].").replace(".1.", "[1].")
    assert refused(without(place)) == f"{way}: found nothing, expected {expected}"


def test_a_damaged_file_is_to_be_written_again_by_the_command_that_wrote_it() -> None:
    with pytest.raises(ConfigError) as error:
        record_from(Report, changed("verdict", 1), CHECK)
    assert str(error.value).splitlines()[1:] == [
        "the file is damaged or was changed; write it again with accumcheck run -o FILE.json"
    ]


@pytest.mark.parametrize(
    "place",
    [
        *("strict", "config_file", "program", "before", "tolerances.weights", "tolerances.origins"),
        *("tolerances.measured", "tolerances.noise_floor.weights", "splits.1.sample_weights.values"),
        *("findings.0.consequence", "findings.0.advice"),
    ],
)
def test_what_older_versions_did_not_write_may_be_missing(place: str) -> None:
    assert record_from(Report, without(place)).verdict == "fail"


def test_a_report_of_an_older_version_takes_the_defaults() -> None:
    plain = copy.deepcopy(PLAIN)
    for key in ("weights", "origins", "measured"):
        del plain["tolerances"][key]
    assert record_from(Report, plain).tolerances == Tolerances(2e-6, 3e-6, 1e-5, Divergence(1.1e-7, 1.6e-7, 4.8e-7))


def test_the_first_errors_are_listed_and_the_others_counted() -> None:
    lines = refused({}).splitlines()
    assert len(lines) == 6
    assert lines[0] == "schema_version: found nothing, expected a text"
    assert lines[5] == "and 12 more"  # of 21 keys, 4 came later


def test_a_list_of_very_many_wrong_items_is_one_error() -> None:
    assert refused(changed("splits", [0] * 100_000)) == "splits[0]: found 0, expected an object"


def test_a_mapping_of_very_many_keys_is_one_error() -> None:
    lines = {str(number): "one" for number in range(20_000)}
    said = refused(changed("config_file", {"path": "a", "line": 1, "splits": lines}))
    assert said.endswith("expected at most 10000 keys")
