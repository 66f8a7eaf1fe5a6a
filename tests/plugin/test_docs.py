"""What docs/ci.md shows exists: inputs, options, hooks, and the Python that users would copy."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from accumcheck.config.load import load_config
from accumcheck.record import Split
from accumcheck.report.registry import EXTENSIONS, OUTPUT_FORMATS
from tests.e2e.program import accumcheck

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return DOCS.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(language: str, text: str = DOCS) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def workflow_steps() -> list[dict[str, Any]]:
    workflows = [yaml.safe_load(text) for text in blocks("yaml", section("GitHub Actions"))]
    return [step for workflow in workflows for step in workflow["jobs"]["equivalence"]["steps"]]


def test_the_action_is_used_with_inputs_and_outputs_that_it_has() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    uses = [step for step in workflow_steps() if "OWNER/accumcheck" in step.get("uses", "")]
    assert len(uses) == 2
    for step in uses:
        assert set(step["with"]) <= set(action["inputs"])
    assert re.findall(r"^\| `([\w-]+)` \|", section("GitHub Actions"), re.MULTILINE) == list(action["inputs"])
    outputs = re.findall(r"^Outputs: (.*) \(paths\)", section("GitHub Actions"), re.MULTILINE)[0]
    assert re.findall(r"`([\w-]+)`", outputs) == list(action["outputs"])
    assert set(re.findall(r"outputs\.(\w+)", DOCS)) <= set(action["outputs"])


def test_every_yaml_block_is_yaml_and_the_check_is_valid(tmp_path: Path) -> None:
    assert all(yaml.safe_load(text) for text in blocks("yaml"))
    path = tmp_path / "bert.yaml"
    path.write_text(blocks("yaml")[0], encoding="utf-8")
    assert load_config(path).splits == tuple(map(Split.parse, ("1x16x1", "1x4x4", "2x4x2")))


def test_the_hook_that_is_shown_is_the_one_that_exists() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    local, remote = (yaml.safe_load(text)["repos"][0]["hooks"][0] for text in blocks("yaml", section("pre-commit")))
    assert remote["id"] == hook["id"]
    same = ("id", "name", "entry", "stages", "always_run", "pass_filenames")
    assert {name: local[name] for name in same} == {name: hook[name] for name in same}


def test_options_exist() -> None:
    lines = "\n".join(line for line in DOCS.splitlines() if "pre-commit run" not in line)
    shown = set(re.findall(r"(?<=[ `])(--[a-z][a-z-]+)", lines))
    helped = accumcheck("run", "--help", env={"COLUMNS": "200"}).out
    assert shown >= {"--format", "--strict", "--allow-skipped", "--quiet"}
    assert {option for option in shown if option not in helped} == set()


def test_formats_and_endings_are_those_that_exist() -> None:
    assert set(re.findall(r"^\| `(\.\w+)`", section("Formats"), re.MULTILINE)) == set(EXTENSIONS)
    assert all(f"`{name}`" in section("Formats") for name in OUTPUT_FORMATS)


@pytest.mark.parametrize("text", blocks("python"))
def test_python_is_python(text: str) -> None:
    ast.parse(text)


@pytest.mark.e2e
def test_the_pytest_example_fails_as_shown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_training=blocks("python")[0])
    ended = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    ended.assert_outcomes(failed=1)
    same = ("NotEquivalentError: fail", "test_training:build_trainer", "E       split ")  # the rest is this machine's
    shown = [line for line in DOCS.splitlines() if line.startswith("E ") and any(part in line for part in same)]
    assert len(shown) == len(same)
    assert set(shown) <= set(ended.outlines)
    ended.stdout.fnmatch_lines(["E *1x16x1 * control * pass", "E *1x4x4 * x 4.00 * 4.00..4.00  FAIL"])
