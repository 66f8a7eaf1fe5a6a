"""The matrix of published scripts: what counts as right, where sources come from, and one that a package brings."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_published import Script, check_of, judge, main, read_matrix, run, table
from published_sources import NoSourceError, Source

from accumcheck.config.load import load_config
from accumcheck.judge.rules.family import FAMILY
from accumcheck.stacks.programs.start import is_installed

SCRIPT = Script("train", 1, "token-mean*k", "token-mean*k", findings=("token-mean*k",), says=("times k",))


def a_report(**changed: Any) -> Mapping[str, Any]:
    return {
        "loss_rule": "token-mean*k",
        "gradient_rule": "token-mean*k",
        "findings": [{"id": "token-mean*k", "severity": "fail", "summary": "the sum was never divided: times k"}],
        "splits": [{"reason": None}],
        **changed,
    }


def test_a_script_is_right_when_exit_code_rules_findings_and_words_are() -> None:
    assert judge(SCRIPT, 1, a_report()).holds


@pytest.mark.parametrize(
    ("exit_code", "report", "found"),
    [
        (0, a_report(), "0 token-mean*k [token-mean*k]"),
        (1, a_report(loss_rule=None), "1 -, gradient token-mean*k [token-mean*k]"),
        (1, a_report(findings=[]), "1 token-mean*k without the words ['times k']"),
        (
            1,
            a_report(findings=[{"id": "token-mean*k", "severity": "fail"}]),
            "1 token-mean*k [token-mean*k] without the words ['times k']",
        ),
        (3, None, "3 without a report"),
    ],
)
def test_anything_else_is_not(exit_code: int, report: Mapping[str, Any] | None, found: str) -> None:
    result = judge(SCRIPT, exit_code, report)
    assert (result.found, result.holds) == (found, False)


def test_a_hint_is_no_finding() -> None:
    hint = {"id": "loss-not-reported", "severity": "ignore"}
    assert judge(SCRIPT, 1, a_report(findings=[*a_report()["findings"], hint])).holds


def test_the_words_may_stand_in_the_reason_of_a_split() -> None:
    script = Script("train", 3, says=("took no notice",))
    report = {
        "loss_rule": None, "gradient_rule": None, "findings": [], "splits": [{"reason": "it took no notice of k"}],
    }  # fmt: skip
    assert judge(script, 3, report).holds


def test_the_table_counts_what_is_right() -> None:
    results = [judge(SCRIPT, 1, a_report()), judge(SCRIPT, 3, None)]
    assert table(results).splitlines()[-1] == "1 of 2 scripts as expected"
    assert [line.split()[-1] for line in table(results).splitlines()[2:4]] == ["yes", "NO"]


def test_every_row_is_a_valid_check_and_asks_for_rules_that_exist(tmp_path: Path) -> None:
    matrix = read_matrix()
    assert len({script.id for script in matrix.scripts}) == len(matrix.scripts)
    rules = {str(rule) for rule in FAMILY} | {"unexplained", None}
    places = {"inputs": str(tmp_path), "out": str(tmp_path)}
    for script in matrix.scripts:
        assert {script.loss, script.gradient} <= rules
        assert (script.source is None) == (script.path is None) == (script.module is not None)
        source = None
        if script.source is not None:
            source = tmp_path / matrix.sources[script.source].folder
            (source / str(script.path)).parent.mkdir(parents=True, exist_ok=True)
            (source / str(script.path)).touch()
        config = tmp_path / "check.yaml"
        config.write_text(yaml.safe_dump(check_of(script, matrix, places, source)), encoding="utf-8")
        assert load_config(config, []).splits
        unknown = [word for word in ("{inputs}", "{out}", *matrix.arguments) if word in config.read_text().split()]
        assert not unknown


def a_repository(folder: Path) -> str:
    """A repository with a script in a folder and a file beside it; the commit."""

    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        return subprocess.run(
            ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
        ).stdout

    (folder / "examples").mkdir(parents=True)
    (folder / "examples" / "train.py").write_text("print('trained')\n", encoding="utf-8")
    (folder / "README.md").touch()
    git("init", "--quiet")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    git("config", "uploadpack.allowFilter", "true")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    commit = git("rev-parse", "HEAD").strip()
    (folder / "examples" / "train.py").write_text("print('later')\n", encoding="utf-8")
    git("commit", "--quiet", "--all", "--message", "second")
    return commit


@pytest.mark.process
def test_a_source_is_fetched_once_at_its_commit_and_only_its_folder(tmp_path: Path) -> None:
    origin, cache = tmp_path / "origin", tmp_path / "cache"
    commit = a_repository(origin)
    source = Source("some", origin.as_uri(), commit, "examples")
    found = source.found_in(None, cache)
    assert (found / "train.py").read_text(encoding="utf-8") == "print('trained')\n"
    assert not (found.parent / "README.md").exists()
    origin.rename(tmp_path / "gone")
    assert source.found_in(None, cache) == found


@pytest.mark.process
def test_without_a_network_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    source = Source("some", (tmp_path / "nowhere").as_uri(), "0" * 40, "examples")
    with pytest.raises(NoSourceError, match=r"could not be fetched \(.*\); with a checkout of it in DIR/some, give"):
        source.found_in(None, tmp_path / "cache")


def test_a_folder_of_sources_must_have_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run_clm", "--source", str(tmp_path)]) == 2
    assert "transformers/examples/pytorch does not exist; expected a checkout of https://" in capsys.readouterr().err


@pytest.mark.e2e
def test_a_script_of_an_installed_package_comes_out_as_it_must(tmp_path: Path) -> None:
    if not is_installed("trl.scripts.sft"):
        pytest.skip("this release of trl has no such module")
    matrix = read_matrix()
    (script,) = [one for one in matrix.scripts if one.id == "trl/sft"]
    result = run(script, matrix, tmp_path, None)
    assert (result.found, result.holds) == (script.expected, True)
