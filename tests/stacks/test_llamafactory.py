"""LLaMA-Factory is run by the function that its own launcher has torchrun call, on the user's training file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from accumcheck.capture.patches import Patches
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.errors import AccumcheckError
from accumcheck.record import Split
from accumcheck.stacks.llamafactory import SPEC, LlamaFactoryConfig
from accumcheck.stacks.programs.handover import Handover

SPLIT = Split(1, 2, 4)


def check() -> CheckConfig:
    section: Any = {"llamafactory": LlamaFactoryConfig("/where/train.yaml")}
    return CheckConfig(ModelConfig(), 8, (SPLIT,), stack="llamafactory", **section)


def start() -> None:
    SPEC.start(check(), Handover(SPLIT, 1, Patches(())))


def test_its_function_reads_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "llamafactory" / "train"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (package / "tuner.py").write_text("import sys\ndef run_exp(): print(sys.argv)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    for name in [name for name in sys.modules if name.split(".")[0] == "llamafactory"]:
        monkeypatch.delitem(sys.modules, name)
    start()
    assert capsys.readouterr().out == "['llamafactory-cli', '/where/train.yaml']\n"
    for name in [name for name in sys.modules if name.split(".")[0] == "llamafactory"]:
        monkeypatch.delitem(sys.modules, name)


def test_it_goes_by_its_command() -> None:
    assert SPEC.title(check()) == "llamafactory-cli train train.yaml"


def test_where_it_is_not_installed_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accumcheck.stacks.programs.start.is_installed", lambda module: False)
    with pytest.raises(AccumcheckError, match=r"stack: llamafactory needs llamafactory, which is not installed"):
        start()
