"""The catalogue of published faults: what is shipped, and that a malformed row would not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from accumcheck.known.catalogue import KnownFault, known_faults, read_faults

PAGE = Path(__file__).parents[2] / "docs" / "known-faults.md"

ROW: dict[str, Any] = {
    "id": "some-fault",
    "title": "It is wrong",
    "affected": {"transformers": ">=4.49.0,<4.52.0"},
    "fixed": "transformers 4.52.0",
    "loss_rules": ["microbatch-mean*k"],
    "gradient_rules": ["microbatch-mean*k"],
    "architectures": ["LlavaForConditionalGeneration"],
    "when": {"token_count": "ignores", "count_passed": True, "training_arguments": {"label_smoothing_factor": False}},
    "url": "https://example.org/1",
    "workaround": "upgrade",
}


def text(*rows: dict[str, Any]) -> str:
    return yaml.safe_dump(list(rows))


def test_a_row_says_what_a_finding_cites() -> None:
    (fault,) = read_faults(text(ROW))
    assert fault.cited() == {
        "title": "It is wrong",
        "url": "https://example.org/1",
        "affected": "transformers >=4.49.0,<4.52.0",
        "fixed": "transformers 4.52.0",
        "workaround": "upgrade",
    }
    assert not fault.is_for_any_architecture


def test_a_cure_is_named_with_the_commands_that_show_it() -> None:
    (fault,) = read_faults(text({**ROW, "hotfix": "token-mean"}))
    assert fault.cited()["workaround"] == (
        "upgrade; accumcheck run CONFIG --hotfix token-mean tries a fix, accumcheck hotfix show token-mean prints it"
    )


def test_conditions_may_be_left_out() -> None:
    (fault,) = read_faults(text({key: value for key, value in ROW.items() if key != "when"}))
    assert (dict(fault.when.training_arguments), fault.when.token_count, fault.when.count_passed) == ({}, None, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"titel": "x"}, "some-fault: titel: unknown"),
        ({"title": None}, "some-fault: title: found None, expected a text"),
        ({"workaround": ""}, "some-fault: workaround: found '', expected a text"),
        ({"url": "http://example.org"}, "some-fault: url: found 'http://example.org', expected an https address"),
        ({"affected": {}}, "some-fault: affected: found {}, expected a mapping from packages to releases"),
        ({"affected": ">=4"}, "some-fault: affected: found '>=4', expected a mapping from packages to releases"),
        (
            {"affected": {"transformers": "4.49 to 4.52"}},
            "some-fault: affected.transformers: found '4.49 to 4.52', expected a version specifier (PEP 440)",
        ),
        ({"affected": {"trl": ""}}, "some-fault: affected.trl: the specifier excludes no release"),
        ({"affected": {"trl": 4.49}}, "some-fault: affected.trl: found 4.49, expected a version specifier (PEP 440)"),
        ({"loss_rules": ["microbatch-mean*3"]}, "some-fault: loss_rules: no such rule: 'microbatch-mean*3'"),
        ({"gradient_rules": []}, "some-fault: gradient_rules: found [], expected a list of names"),
        ({"architectures": "Llava*"}, "some-fault: architectures: found 'Llava*', expected a list of names"),
        ({"finding": "x"}, "some-fault: expected either finding, or both loss_rules and gradient_rules"),
        (
            {"hotfix": "token-means"},
            "some-fault: hotfix: found 'token-means', expected one of no-loss-kwargs, token-mean",
        ),
        ({"when": {"weather": "fine"}}, "some-fault: when.weather: unknown"),
        (
            {"when": {"token_count": "devides"}},
            "some-fault: when.token_count: found 'devides', expected one of divides, ignores, partly, rejects",
        ),
        ({"when": {"count_passed": "yes!"}}, "some-fault: when.count_passed: found 'yes!', expected true or false"),
        (
            {"when": {"training_arguments": {"label_smoothing_factor": 0.1}}},
            "some-fault: when.training_arguments: found {'label_smoothing_factor': 0.1}, "
            "expected true or false for each name",
        ),
    ],
)
def test_a_malformed_row_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="some-fault") as refused:
        read_faults(text({**ROW, **change}))
    assert str(refused.value) == message


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="row 1: id: missing") as refused:
        read_faults(text({key: value for key, value in ROW.items() if key not in ("id", "url")}))
    assert str(refused.value).splitlines() == ["row 1: id: missing", "row 1: url: missing"]
    with pytest.raises(ValueError, match="expected either finding, or both") as refused:
        read_faults(text({key: value for key, value in ROW.items() if key != "loss_rules"}))
    assert str(refused.value).startswith("some-fault: expected either finding")


def test_a_fault_may_show_as_a_finding_of_its_own() -> None:
    shown = {**{key: value for key, value in ROW.items() if not key.endswith("rules")}, "finding": "tail-divisor"}
    (fault,) = read_faults(text(shown))
    assert (fault.finding, fault.loss_rules) == ("tail-divisor", frozenset())
    with pytest.raises(ValueError, match="finding: found 5, expected a text"):
        read_faults(text({**shown, "finding": 5}))


def test_an_id_is_used_once_and_all_rows_are_looked_at() -> None:
    with pytest.raises(ValueError, match="used twice") as refused:
        read_faults(text(ROW, ROW, {**ROW, "id": "other", "fixed": 5}))
    assert str(refused.value).splitlines() == [
        "some-fault: id: used twice",
        "other: fixed: found 5, expected a text",
    ]


@pytest.mark.parametrize("broken", ["", "id: x", "- 5"])
def test_a_file_that_is_no_list_of_rows_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_faults(broken)


def test_the_shipped_rows_are_well_formed_and_each_condition_can_hold() -> None:
    assert len({fault.id for fault in known_faults()}) == len(known_faults()) >= 14
    for fault in known_faults():
        assert bool(fault.loss_rules) != bool(fault.finding)
        assert fault.affected.keys() <= {"transformers", "trl", "llamafactory", "accelerate", "deepspeed"}


def row(fault: KnownFault) -> str:
    """The fault's row on the page."""
    owner, repository, kind, *_, number = fault.url.split("#")[0].split("/")[3:]
    title = fault.title.replace("*", "\\*")
    link = f"[{owner}/{repository}{' ' if kind == 'releases' else '#'}{number}]({fault.url})"
    return f"| `{fault.id}` | {title} | {fault.cited()['affected']} | {fault.fixed} | {link} |"


def test_the_page_lists_what_is_shipped() -> None:
    listed = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert listed == [row(fault) for fault in known_faults()]
