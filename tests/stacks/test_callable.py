"""A function of the user's is called with its arguments, and what it returns is trained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from accumcheck.capture.patches import Patches
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.errors import AccumcheckError
from accumcheck.record import Split
from accumcheck.stacks.callable import SPEC
from accumcheck.stacks.programs.handover import Handover

SPLIT = Split(1, 2, 4)
MODULE = """
class Trains:
    def __init__(self, size):
        self.size = size

    def train(self):
        print("trained", self.size)

def build(size=1):
    return Trains(size)

def build_nothing():
    return 5
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with functions; the search path is put back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "of_a_callable", raising=False)
    file = tmp_path / "of_a_callable.py"
    file.write_text(MODULE, encoding="utf-8")
    return file


def start(name: str, **arguments: object) -> None:
    check = CheckConfig(ModelConfig(), 8, (SPLIT,), stack="callable", callable=name, callable_arguments=arguments)
    assert SPEC.title(check) == name
    SPEC.start(check, Handover(SPLIT, 1, Patches(())))


def test_what_it_returns_is_trained(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(f"{module}:build", size=3)
    assert capsys.readouterr().out == "trained 3\n"


def test_what_cannot_be_trained_is_an_error(module: Path) -> None:
    with pytest.raises(AccumcheckError, match=r":build_nothing returned int; expected a transformers Trainer"):
        start(f"{module}:build_nothing")
