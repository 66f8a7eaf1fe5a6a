"""What a configuration runs of its author's code, and where it is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from accumcheck.authors_code import VARIABLE, asked_by_variable, check_no_programs, code_of_author
from accumcheck.cli import main
from accumcheck.config.load import load_config
from accumcheck.pytest_plugin import Checker

END = "global_batch_size: 4\nsplits: [1x4x1, 1x2x2]\n"
LLAMA = "{config: {model_type: llama}}"
PROGRAMS = {
    "script": ("stack: script\nscript:\n  path: train.py\n", 2, "script: would run the program {0}/train.py"),
    "module": ("script: {module: a.b}\nstack: script\n", 1, "script: would run the program a.b"),
    "callable": (
        "# mine\nstack: callable\ncallable: train.py:f\n",
        3,
        "callable: would run the program {0}/train.py:f",
    ),
    "llamafactory": ("stack: llamafactory\nllamafactory: {train: t.yaml}\n", 2, "llamafactory: would run the program"),
    "trl-sft": ("stack: trl-sft\ntrl: {arguments: [--trust_remote_code]}\n", 2, "trl: would run the program"),
    "remote code": (
        "model:\n  name_or_path: org/model\n  trust_remote_code: true\n",
        3,
        "model.trust_remote_code: would run code from the model's repository",
    ),
    "under another name": ("base_model: org/model\ntrust_remote_code: true\n", 2, "model.trust_remote_code: would run"),
    "a kernel": (
        "model:\n  config: {model_type: llama}\n  attn_implementation: some/kernel\n",
        3,
        "model.attn_implementation: would run the kernel some/kernel of the hub",
    ),
    "a kernel in a configuration": (
        "model: {config: {model_type: llama, text_config: {_attn_implementation: {a: eager, b: some/kernel}}}}\n",
        1,
        "model.config.text_config._attn_implementation: would run the kernel some/kernel",
    ),
    "remote code among arguments": (
        f"model: {LLAMA}\ntraining_arguments:\n  x: [{{trust_remote_code: true}}]\n",
        3,
        "training_arguments.x.trust_remote_code: would run code",
    ),
}
HARMLESS = {
    "a model": f"model: {LLAMA}\n",
    "remote code refused": "model: {name_or_path: org/model, trust_remote_code: false}\n",
    "attention by name": "model: {config: {model_type: llama}, attn_implementation: sdpa}\n",
    "accelerate": f"model: {LLAMA}\nstack: accelerate\n",
    "a hot-fix of accumcheck's": f"model: {LLAMA}\nhotfix: token-mean\n",
}
COMMANDS = {
    "validate": ["validate"],
    "run": ["run", "--quiet"],
    "upgrade": ["upgrade", "--to", "4.49.0", "--quiet"],
    "bisect": ["bisect", "--good", "4.48.0", "--bad", "4.49.0", "--quiet"],
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    for name in ("train.py", "t.yaml"):
        (tmp_path / name).write_text("raise SystemExit('was run')")
    return tmp_path / "check.yaml"


@pytest.mark.parametrize(("text", "line", "words"), PROGRAMS.values(), ids=PROGRAMS)
def test_every_way_to_run_code_is_refused_at_its_line(config: Path, text: str, line: int, words: str) -> None:
    config.write_text(text + END)
    check = load_config(config)
    check_no_programs([(check, config)], refuse=False)
    with pytest.raises(Exception, match="--no-programs refuses") as raised:
        check_no_programs([(check, config)])
    assert str(raised.value).startswith(f"{config}:{line}: {words.format(config.parent)}")
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_runs_nothing_of_its_authors_is_not(config: Path, text: str) -> None:
    config.write_text(text + END)
    assert code_of_author(load_config(config)) == []
    assert main(["validate", str(config), "--no-programs"]) == 0


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("by", ["option", "variable"])
def test_every_command_refuses_before_anything_is_run(
    config: Path, command: list[str], by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("stack: script\nscript: {path: train.py}\n" + END)
    if by == "variable":
        monkeypatch.setenv(VARIABLE, "1")
    assert main([command[0], str(config), *command[1:], *(["--no-programs"] if by == "option" else [])]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(
        f"{config}:2: script: would run the program {config.parent}/train.py (stack: script)"
    )
    assert captured.out == ""


def test_what_the_command_line_asks_for_is_refused_there(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("model: {name_or_path: org/model}\n" + END)
    setting = "model.trust_remote_code=true"
    assert main(["validate", str(config), "--no-programs", "--set", setting]) == 2
    assert capsys.readouterr().err.startswith(f"--set {setting}: model.trust_remote_code: would run")


def test_all_of_all_configurations_are_told_at_once(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("stack: script\nscript: {path: train.py}\n" + END)
    other = config.with_name("other.yaml")
    other.write_text(
        "model: {name_or_path: org/model, trust_remote_code: true, attn_implementation: some/kernel}\n" + END
    )
    assert main(["upgrade", str(config), str(other), "--to", "4.49.0", "--no-programs"]) == 2
    assert [line.partition(": would")[0] for line in capsys.readouterr().err.splitlines()] == [
        f"{config}:2: script",
        f"{other}:1: model.attn_implementation",
        f"{other}:1: model.trust_remote_code",
    ]


@pytest.mark.parametrize(("value", "asked"), [("1", True), ("true", True), ("2", True), ("0", False), ("", False)])
def test_the_variable(monkeypatch: pytest.MonkeyPatch, value: str, asked: bool) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert asked_by_variable() is asked


@pytest.mark.parametrize("value", ["2", "maybe"])
def test_a_variable_that_says_neither_runs_nothing(
    config: Path, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("stack: script\nscript: {path: train.py}\n" + END)
    monkeypatch.setenv(VARIABLE, value)
    assert main(["run", str(config)]) == 2
    assert VARIABLE in capsys.readouterr().err


def test_the_plugin_refuses_configurations_and_not_the_tests_own_functions(config: Path) -> None:
    config.write_text("stack: script\nscript: {path: train.py}\n" + END)
    checker = Checker(config.parent, "test_x.py::test_y", {}, no_programs=True)
    with pytest.raises(pytest.fail.Exception, match=r"check\.yaml:2: script: would run the program"):
        checker.run("check.yaml")
    keys = {"stack": "script", "script": {"path": "train.py"}, "global_batch_size": 4, "splits": ["1x4x1"]}
    with pytest.raises(pytest.fail.Exception, match=r"test_x\.py::test_y: script: would run the program"):
        checker.run(keys)


@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_plugins_option(config: Path, by: str) -> None:
    config.write_text("stack: script\nscript: {path: train.py}\n" + END)
    (config.parent / "test_it.py").write_text("def test_it(accumcheck):\n    accumcheck.check('check.yaml')\n")
    option = ["--accumcheck-no-programs"] if by == "option" else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *option, "test_it.py"],
        capture_output=True,
        text=True,
        cwd=config.parent,
        env={**os.environ, **({VARIABLE: "1"} if by == "variable" else {})},
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert f"{config}:2: script: would run the program {config.parent}/train.py" in done.stdout


def test_validate_says_json_only_where_it_refuses_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(f"model: {LLAMA}\n" + END)
    assert main(["validate", str(config), "--no-programs", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["stack"] == "trainer"
