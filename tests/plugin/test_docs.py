"""What docs/ci.md shows exists: inputs, options, hooks, and the Python that users would copy."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
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
    helped = "".join(accumcheck(name, "--help", env={"COLUMNS": "200"}).out for name in ("run", "upgrade"))
    of_pytest = [sys.executable, "-m", "pytest", "--help"]
    helped += subprocess.run(of_pytest, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert shown >= {"--format", "--strict", "--allow-skipped", "--quiet"}
    assert {option for option in shown if option not in helped} == set()


def test_formats_and_endings_are_those_that_exist() -> None:
    assert set(re.findall(r"^\| `(\.\w+)`", section("Formats"), re.MULTILINE)) == set(EXTENSIONS)
    assert all(f"`{name}`" in section("Formats") for name in OUTPUT_FORMATS)


def test_the_comment_recipes_use_actions_and_inputs_that_exist() -> None:
    fork = yaml.safe_load((ROOT / "comment" / "action.yml").read_text(encoding="utf-8"))
    main = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert fork["inputs"]["file"]["default"] == "comment.md"
    text = section("A comment on a pull request") + section("Renovate and Dependabot")
    workflows = [made for block in blocks("yaml", text) if "jobs" in (made := yaml.safe_load(block))]
    steps = [step for made in workflows for job in made["jobs"].values() for step in job["steps"]]
    used = [step for step in steps if step.get("uses", "").startswith("OWNER/")]
    assert [step["uses"] for step in used] == [
        "OWNER/accumcheck@main",
        "OWNER/accumcheck/comment@main",
        "OWNER/accumcheck@main",
    ]
    for step in used:
        assert set(step.get("with", {})) <= set((fork if "/comment@" in step["uses"] else main)["inputs"])


def test_the_lines_that_a_pull_request_moves_become_options(tmp_path: Path) -> None:
    workflow = yaml.safe_load(blocks("yaml", section("Renovate and Dependabot"))[0])
    (step,) = [step for step in workflow["jobs"]["upgrade"]["steps"] if "run" in step]
    (tmp_path / "pip").write_text("#!/bin/sh\necho pip $*\n")
    (tmp_path / "pip").chmod(0o755)
    repository = tmp_path / "repository"
    repository.mkdir()

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=repository, check=True)

    git("init", "--quiet")
    (repository / "requirements.txt").write_text("torch==2.13.0\ntransformers==5.23.0\ntrl==1.15.0  # gate\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "base")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    (repository / "requirements.txt").write_text("torch==2.13.0\n\ntransformers==5.24.0\ntrl==1.16.0  # gate\n")
    env = {"GITHUB_BASE_REF": "main", "RUNNER_TEMP": str(tmp_path), "GITHUB_ENV": str(tmp_path / "env")}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-e", "-c", step["run"]], cwd=repository, env={**os.environ, **env, "PATH": path}, check=True
    )
    moved = (tmp_path / "env").read_text().removeprefix("MOVED=")
    assert shlex.split(moved) == ["--to", "transformers==5.24.0", "--to", "trl==1.16.0"]


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
