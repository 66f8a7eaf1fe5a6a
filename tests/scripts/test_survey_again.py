"""Checking some classes of a survey again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from survey_again import main

from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.survey.asked import Asked
from accumcheck.survey.kept import Kept
from tests.report.written import write
from tests.survey.made import failing, survey, surveyed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    missing = surveyed("NeedsAPackage", "not checked", reason_kind="missing-package")
    hung = surveyed("Hangs", "not checked", reason_kind="hung")
    write(survey(surveyed(), failing(), missing, hung), tmp_path / "survey.json")
    return tmp_path


def _kept(path: Path) -> list[str]:
    return [one.name for one in Kept(path, "", Asked()).read()]


def test_classes_that_were_not_checked_are_left_to_check(folder: Path) -> None:
    main(str(folder / "survey.json"), str(folder / "kept.jsonl"))
    assert _kept(folder / "kept.jsonl") == ["BertForTokenClassification", "LlamaForCausalLM", "NeedsAPackage"]


def test_given_tasks_are_left_to_check(folder: Path) -> None:
    main(str(folder / "survey.json"), str(folder / "kept.jsonl"), "token-classification")
    assert _kept(folder / "kept.jsonl") == ["LlamaForCausalLM", "NeedsAPackage"]


def test_a_file_with_results_is_not_overwritten(folder: Path) -> None:
    (folder / "kept.jsonl").write_text("results", encoding="utf-8")
    with pytest.raises(AccumcheckError, match="exists"):
        main(str(folder / "survey.json"), str(folder / "kept.jsonl"))
    assert (folder / "kept.jsonl").read_text(encoding="utf-8") == "results"


def test_a_file_that_is_no_survey_is_named(folder: Path) -> None:
    (folder / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"other\.json"):
        main(str(folder / "other.json"), str(folder / "kept.jsonl"))


def test_a_survey_without_splits_is_refused(folder: Path) -> None:
    path = folder / "survey.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "splits": []}), encoding="utf-8")
    with pytest.raises(AccumcheckError, match="names no splits"):
        main(str(path), str(folder / "kept.jsonl"))
