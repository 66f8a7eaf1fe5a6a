"""The matrix of real faults: what counts as a row that holds, and one row under its real release."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from check_faults import MATRIX, Row, judge, read_rows, run_row, table

from accumcheck.config.load import load_config
from accumcheck.record.rule import is_rule

ROW = Row("LOG-ONLY-RIGHT", "4.46.3", 1, "microbatch-mean", "microbatch-mean*k", {})


def a_report(**changed: Any) -> Mapping[str, Any]:
    return {
        "environment": {"transformers": changed.get("transformers", "4.46.3")},
        "loss_rule": changed.get("loss_rule", "microbatch-mean"),
        "gradient_rule": changed.get("gradient_rule", "microbatch-mean*k"),
    }


def test_a_row_holds_when_exit_code_rules_and_release_are_as_known() -> None:
    assert judge(ROW, 1, a_report()).holds


@pytest.mark.parametrize(
    ("exit_code", "report", "found"),
    [
        (0, a_report(), "0 microbatch-mean, gradient microbatch-mean*k"),
        (1, a_report(loss_rule="microbatch-mean*k"), "1 microbatch-mean*k"),
        (1, a_report(gradient_rule="unexplained"), "1 microbatch-mean, gradient unexplained"),
        (
            1,
            a_report(transformers="5.23.0"),
            "1 microbatch-mean, gradient microbatch-mean*k (under transformers 5.23.0)",
        ),
        (1, None, "1 without a report"),
    ],
)
def test_anything_else_does_not(exit_code: int, report: Mapping[str, Any] | None, found: str) -> None:
    result = judge(ROW, exit_code, report)
    assert (result.found, result.holds) == (found, False)


def test_the_table_counts_what_holds() -> None:
    results = [judge(ROW, 1, a_report()), judge(ROW, 3, None)]
    assert table(results).splitlines() == [
        "id              release  expected                                       found"
        "                                          ok",
        "-" * 122,
        "LOG-ONLY-RIGHT  4.46.3   1 microbatch-mean, gradient microbatch-mean*k  "
        "1 microbatch-mean, gradient microbatch-mean*k  yes",
        "LOG-ONLY-RIGHT  4.46.3   1 microbatch-mean, gradient microbatch-mean*k  "
        "3 without a report                             NO",
        "1 of 2 rows as expected",
    ]


def test_every_row_is_a_valid_check_and_asks_for_rules_that_exist(tmp_path: Path) -> None:
    rows = read_rows()
    assert len({row.id for row in rows}) == len(rows)
    (tmp_path / "tiny" / "embedder").mkdir(parents=True)  # what make_tiny.py makes, as far as a configuration names it
    (tmp_path / "tiny" / "sentences").mkdir()
    (tmp_path / "tiny" / "sentences" / "train.jsonl").touch()
    for row in rows:
        assert is_rule(row.loss)
        assert is_rule(row.gradient)
        config = tmp_path / "check.yaml"
        config.write_text(_yaml(row.check), encoding="utf-8")
        assert load_config(config, []).splits
    assert MATRIX.name == "faults.yaml"


def _yaml(check: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(dict(check)))


@pytest.mark.e2e
def test_a_published_fault_is_caught_and_named_under_its_release(tmp_path: Path) -> None:
    # of the release that tests/e2e/test_upgrade.py needs too, so that its environment is built once
    (row,) = [row for row in read_rows() if row.id == "SMOOTHING"]
    result = run_row(row, tmp_path, installed=importlib.metadata.version("transformers"))
    assert (result.found, result.holds) == (row.expected, True)
