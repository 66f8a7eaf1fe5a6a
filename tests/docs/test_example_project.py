"""The example project's gate: it holds with the pin as it is, and fails when the pin is moved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from accumcheck.config.load import load_config
from accumcheck.stacks.programs.trl_scripts import TrlConfig
from tests.e2e.program import accumcheck

PROJECT = Path(__file__).parents[2] / "docs" / "example-project"
CHECK = PROJECT / "checks" / "classifier.yaml"


def pinned() -> str:
    (release,) = re.findall(r"^transformers==(.+)$", (PROJECT / "requirements.txt").read_text(), re.MULTILINE)
    return release


def test_the_workflow_checks_what_the_project_trains() -> None:
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "equivalence.yaml").read_text(encoding="utf-8"))
    (action,) = [step for step in workflow["jobs"]["splits-agree"]["steps"] if step.get("id") == "accumcheck"]
    assert (PROJECT / action["with"]["config"]) == CHECK


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("release", "code", "rule"), [(pinned(), 0, "token-mean"), ("5.23.0", 1, "token-mean*k*n")], ids=["pin", "moved"]
)
def test_the_gate_holds_until_the_pin_is_moved(release: str, code: int, rule: str) -> None:
    ended = accumcheck("run", CHECK, "--transformers", release, "--format", "json")
    assert ended.code == code, ended.err
    assert ended.report["environment"]["transformers"] == release
    assert ended.report["gradient_rule"] == rule


def test_the_second_check_runs_trl_with_the_file_that_stands_next_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT.parents[1])
    check = load_config(PROJECT / "trl" / "check.yaml")
    assert check.stack == "trl-dpo"
    assert check.own(TrlConfig).arguments == ("--config", "docs/example-project/trl/dpo.yaml")
    assert Path("docs/example-project/trl/dpo.yaml").is_file()
