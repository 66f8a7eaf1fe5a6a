"""Which program a stack is, in the release that is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from accumcheck.config.model import CheckConfig, ModelConfig, TrlConfig
from accumcheck.errors import WorkloadError
from accumcheck.record import Split
from accumcheck.stacks.programs.entry import name_of, start

SPLIT = Split(1, 2, 1)


def check(stack: str) -> CheckConfig:
    return CheckConfig(ModelConfig(), 2, (SPLIT,), stack=stack, trl=TrlConfig(("--beta", "0.5")))


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
    start(check(stack), SPLIT)
    assert capsys.readouterr().out == "__main__ --beta 0.5\n"
    assert name_of(check(stack)) == f"trl.scripts.{script}"


def test_a_release_without_the_script_is_told(trl: Path) -> None:
    (trl / "dpo.py").write_text("", encoding="utf-8")
    start(check("trl-dpo"), SPLIT)
    with pytest.raises(WorkloadError, match=r"runs trl\.scripts\.reward, which trl 0\.15\.2 does not have"):
        start(check("trl-reward"), SPLIT)
