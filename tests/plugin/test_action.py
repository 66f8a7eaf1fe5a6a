"""The GitHub Action: its steps run as the runner runs them, with bash, on real checks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.e2e.program import write_config, write_faulty_model

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str
    summary: str
    outputs: dict[str, str]


def _python(folder: Path, script: str) -> Path:
    """A folder for PATH in which ``python`` is this script."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    (place / "python").write_text(f"#!/bin/bash\n{script}\n")
    (place / "python").chmod(0o755)
    return place


def _run(step: str, folder: Path, python: str, env: Mapping[str, str] | None = None, **inputs: str) -> Ended:
    """One step as the runner runs it: its expressions filled in, its script in a file, bash with -e and pipefail."""
    given = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()} | {
        name.replace("_", "-"): value for name, value in inputs.items()
    }
    context = {f"inputs.{name}": value for name, value in given.items()} | {"github.action_path": str(ROOT)}

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: context[found[1]], text)

    files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.touch()
    script = folder / "step.sh"
    script.write_text(filled(STEPS[step]["run"]))
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
        cwd=folder / filled(STEPS[step].get("working-directory", ".")),
        env={
            **os.environ,
            **{name: filled(value) for name, value in STEPS[step]["env"].items()},
            **{name: str(file) for name, file in files.items()},
            "RUNNER_TEMP": str(folder),
            "GITHUB_WORKSPACE": str(folder),
            "PATH": f"{_python(folder, python)}{os.pathsep}{os.environ['PATH']}",
            **(env or {}),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = files["GITHUB_OUTPUT"].read_text().splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    return Ended(done.returncode, done.stdout, done.stderr, files["GITHUB_STEP_SUMMARY"].read_text(), outputs)


REAL = f'exec {sys.executable} "$@"'
PASSES = f"""if [ "$1 $2" = '-m accumcheck' ]; then shift 2; set -- -m tests.cli.planted pass "$@"; fi
export PYTHONPATH={ROOT}
{REAL}"""
"""As `REAL`, but every check passes at once."""
ECHO = """printf '%s\\n' "$@" """


def test_inputs_and_outputs_are_documented_and_reach_the_shell_only_as_variables() -> None:
    assert all(one["description"] for one in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))
    assert [name for name, one in ACTION["inputs"].items() if one.get("required")] == ["config"]
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")
        assert ("shell" in step) == ("run" in step)
    written = set(re.findall(r"steps\.check\.outputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert written == set(ACTION["outputs"])


@pytest.mark.parametrize(
    ("version", "requirement"),
    [
        ("", str(ROOT)),
        ("0.1.0", "accumcheck==0.1.0"),
        ("git+https://example.org/a.git@main", "git+https://example.org/a.git@main"),
        ("$(touch pwned); touch pwned", "$(touch pwned); touch pwned"),
    ],
)
def test_what_is_installed(tmp_path: Path, version: str, requirement: str) -> None:
    ended = _run("Install accumcheck", tmp_path, ECHO, version=version)
    assert ended.out.splitlines() == [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--",
        requirement,
    ]
    assert not (tmp_path / "pwned").exists()


def test_arguments_are_split_as_a_shell_would_and_never_run(tmp_path: Path) -> None:
    echo = f'if [ "$1" = -c ]; then {REAL}; fi; {ECHO}'
    arguments = "--strict --set 'splits=[1x8x1, 1x2x4]' $(touch pwned) ; touch pwned `touch pwned` * \"\""
    ended = _run(
        "Check", tmp_path, echo, config="$(touch pwned).yaml", transformers="4.49.0; touch pwned", arguments=arguments
    )
    given = ended.out.splitlines()
    outputs = [word for name in ("junit", "json", "html", "comment") for word in ("--output", ended.outputs[name])]
    words = [
        "--strict",
        "--set",
        "splits=[1x8x1, 1x2x4]",
        "$(touch",
        "pwned)",
        ";",
        "touch",
        "pwned",
        "`touch",
        "pwned`",
    ]
    release = ["--transformers", "4.49.0; touch pwned"]
    last = ["--format", "github", "--", "$(touch pwned).yaml"]
    assert given == ["-m", "accumcheck", "run", *words, "*", "", *release, *outputs, *last]
    assert not (tmp_path / "pwned").exists()


def test_a_quote_that_is_not_closed_is_a_usage_error(tmp_path: Path) -> None:
    ended = _run("Check", tmp_path, REAL, config="check.yaml", arguments="--set 'a")
    assert ended.code == 2
    assert ended.out == "::error title=accumcheck::arguments: a quote is not closed\n"


def test_upgrade_takes_the_place_of_run(tmp_path: Path) -> None:
    echo = f'if [ "$1" = -c ]; then {REAL}; fi; {ECHO}'
    ended = _run("Check", tmp_path, echo, config="checks", command="upgrade", arguments="--to 'trl==1.16.0'")
    assert ended.out.splitlines()[:5] == ["-m", "accumcheck", "upgrade", "--to", "trl==1.16.0"]
    assert Path(ended.outputs["comment"]).name == "comment.md"


def test_no_other_command_is_run(tmp_path: Path) -> None:
    ended = _run("Check", tmp_path, REAL, config="checks", command="environments")
    assert ended.code == 2
    assert ended.out == "::error title=accumcheck::command: give run or upgrade\n"


@pytest.mark.parametrize(("code", "good"), [("0", ["--good"]), ("1", [])])
def test_the_comment_is_handed_over_with_what_the_check_came_to(tmp_path: Path, code: str, good: list[str]) -> None:
    step = STEPS["Comment"]
    assert "inputs.comment == 'true'" in step["if"]
    env = {"COMMENT": "comment.md", "KEY": "run a.yaml", "CODE": code, "GITHUB_TOKEN": "", "ACTION_PATH": "/action"}
    assert set(step["env"]) == set(env)
    python = _python(tmp_path, ECHO)
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        env={**os.environ, **env, "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split("\n")[:-1] == [
        "/action/scripts/sticky_comment.py",
        "comment.md",
        "--key",
        "run a.yaml",
        *good,
    ]


def test_jobs_of_a_matrix_of_releases_do_not_share_one_comment() -> None:
    for name in ("command", "config", "transformers"):
        assert f"${{{{ inputs.{name} }}}}" in STEPS["Comment"]["env"]["KEY"]


@pytest.mark.e2e
def test_a_check_that_passes(tmp_path: Path) -> None:
    write_config(tmp_path, steps=1)
    ended = _run("Check", tmp_path, PASSES, config="check.yaml", arguments="--set splits='[1x8x1, 1x4x2]'")
    assert ended.code == 0, ended.err
    assert ended.out == "pass: 3 of 3 splits agree with the reference (exit code 0)\n"
    assert ended.summary.startswith("## accumcheck: pass\n\n**3 of 3 splits agree with the reference** (exit code 0)")
    assert "| **4x16x2** |" in ended.summary
    assert ended.outputs["exit-code"] == "0"
    assert json.loads(Path(ended.outputs["json"]).read_text())["exit_code"] == 0
    assert Path(ended.outputs["html"]).read_text().startswith("<!DOCTYPE html>")
    assert ElementTree.parse(ended.outputs["junit"]).getroot().attrib["failures"] == "0"


@pytest.mark.e2e
def test_a_divergence_is_annotated_at_the_splits_line_and_ends_the_job(tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    path = write_config(folder, steps=1, model=write_faulty_model(folder))
    lines = path.read_text().splitlines()
    assert "- 1x2x4" in lines
    ended = _run(
        "Check",
        tmp_path,
        REAL,
        {"PLANTED": "uncounted:any:0"},
        config="check.yaml",
        working_directory="checks",
    )
    assert ended.code == 1, ended.err
    first, last = ended.out.splitlines()
    place = f"::error file=checks/check.yaml,line={lines.index('- 1x2x4') + 1},title=accumcheck 1x2x4::1x2x4: loss 4."
    assert first.startswith(place)
    assert last == "fail: 1 of 2 splits diverges (exit code 1: divergence)"
    assert ended.outputs["exit-code"] == "1"
    assert "| **1x2x4** |" in ended.summary


@pytest.mark.e2e
def test_a_wrong_configuration_ends_the_job_with_its_message(tmp_path: Path) -> None:
    ended = _run("Check", tmp_path, REAL, config="<b>none.yaml")
    assert ended.code == 2
    said = "<b>none.yaml: there is no such file; give the path of a YAML file\n"
    assert ended.err == said
    assert ended.outputs["exit-code"] == "2"
    assert ended.summary == f"## accumcheck: exit code 2\n\n    {said}\n"  # in a code block nothing is markup
    assert Path(ended.outputs["comment"]).read_text() == ended.summary  # or the comment would keep the last result


USES = re.compile(r"^[\s-]*uses: *(\S+)(?: +# (\S+))?", re.MULTILINE)


def _used() -> dict[Path, list[tuple[str, str]]]:
    """The actions that every file of this repository uses or tells others to use, each with its comment."""
    files = [ROOT / "action.yml", ROOT / "comment" / "action.yml", *(ROOT / ".github").rglob("*.y*ml")]
    files += [one for ending in ("*.md", "*.y*ml") for one in (ROOT / "docs").rglob(ending)]
    return {file: found for file in files if (found := USES.findall(file.read_text(encoding="utf-8")))}


def test_actions_of_others_are_pinned_by_commit_with_the_release_as_a_comment() -> None:
    used = _used()
    assert {"action.yml", "ci.yaml", "ci.md", "equivalence.yaml"} <= {file.name for file in used}
    releases: dict[str, str] = {}
    for file, found in used.items():
        for action, release in found:
            if action.startswith("OWNER/accumcheck"):
                continue
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), (file, action)
            assert re.fullmatch(r"v\d+\.\d+\.\d+", release), (file, action)
            assert releases.setdefault(action, release) == release, (file, action)
