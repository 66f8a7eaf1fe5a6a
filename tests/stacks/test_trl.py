"""Which of TRL's scripts a stack is, in the release that is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from accumcheck.capture.patches import Patches
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.errors import WorkloadError
from accumcheck.record import Split
from accumcheck.stacks.programs.handover import Handover
from accumcheck.stacks.programs.trl_scripts import TrlConfig
from accumcheck.stacks.protocol import ProgramSpec
from accumcheck.stacks.registry import find_stack

SPLIT = Split(1, 2, 1)


def program(stack: str) -> ProgramSpec:
    found = find_stack(stack)
    assert isinstance(found, ProgramSpec)
    return found


def start(stack: str) -> None:
    section: dict[str, Any] = {"trl": TrlConfig(("--beta", "0.5"))}
    check = CheckConfig(ModelConfig(), 2, (SPLIT,), stack=stack, **section)
    program(stack).start(check, Handover(SPLIT, 1, Patches(())))


@pytest.fixture
def trl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of that name, of release 0.15.2, in which scripts can be put."""
    scripts = tmp_path / "trl" / "scripts"
    scripts.mkdir(parents=True)
    for folder in (scripts.parent, scripts):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "trl-0.15.2.dist-info").mkdir()
    (tmp_path / "trl-0.15.2.dist-info" / "METADATA").write_text("Name: trl\nVersion: 0.15.2\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    for name in [name for name in sys.modules if name.split(".")[0] == "trl"]:
        monkeypatch.delitem(sys.modules, name)
    return scripts


@pytest.mark.parametrize(("stack", "script"), [("trl-sft", "sft"), ("trl-dpo", "dpo"), ("trl-reward", "reward")])
def test_each_stack_of_trl_runs_its_script_with_the_arguments(
    trl: Path, capsys: pytest.CaptureFixture[str], stack: str, script: str
) -> None:
    (trl / f"{script}.py").write_text("import sys\nprint(__name__, *sys.argv[1:])\n", encoding="utf-8")
    start(stack)
    assert capsys.readouterr().out == "__main__ --beta 0.5\n"
    section: dict[str, Any] = {"trl": TrlConfig(())}
    check = CheckConfig(ModelConfig(), 2, (SPLIT,), stack=stack, **section)
    assert program(stack).title(check) == f"trl.scripts.{script}"


def test_a_release_without_the_script_is_told(trl: Path) -> None:
    (trl / "dpo.py").write_text("", encoding="utf-8")
    start("trl-dpo")
    with pytest.raises(WorkloadError) as raised:
        start("trl-reward")
    assert str(raised.value) == (
        "stack: trl-reward runs trl.scripts.reward, which trl 0.15.2 does not have (releases 0.13 to 0.23 have no "
        "script for reward models); choose another release with --with trl==VERSION, or write stack: script with your "
        "own script that makes the trainer"
    )
