"""A script or a module of the user's: run as it is, with the split's numbers where it asks for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from accumcheck.capture.patches import Patches
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Split
from accumcheck.stacks.programs.handover import COMMAND_LINE, Handover
from accumcheck.stacks.script import SPEC, ScriptConfig

SPLIT = Split(1, 2, 4)
PROGRAM = """
import sys, yaml
print(__name__, sys.argv[1:])
if sys.argv[-1].endswith(".yaml"):
    with open(sys.argv[-1]) as file:
        print(yaml.safe_load(file))
"""


@pytest.fixture
def handover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handover]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    (tmp_path / "a_program.py").write_text(PROGRAM, encoding="utf-8")
    with Patches(SPEC.seams) as patches:
        yield Handover(SPLIT, 3, patches)


def check(script: ScriptConfig) -> CheckConfig:
    return CheckConfig(ModelConfig(), 8, (SPLIT,), stack="script", script=script)


def test_a_file_is_given_the_numbers_on_its_command_line(
    handover: Handover, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--k={gradient_accumulation_steps}", "{per_device_train_batch_size}", "{steps}")
    SPEC.start(check(ScriptConfig(path="a_program.py", arguments=words)), handover)
    assert capsys.readouterr().out == "__main__ ['--k=4', '2', '3']\n"
    assert handover.ways == (COMMAND_LINE,)


def test_a_module_reads_them_in_a_yaml_file_that_stays_as_it_is(
    handover: Handover, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.yaml").write_text("micro_batch_size: 64\nlr: 1\n", encoding="utf-8")
    SPEC.start(check(ScriptConfig(module="a_program", arguments=("train.yaml",))), handover)
    assert capsys.readouterr().out == "__main__ ['train.yaml']\n{'micro_batch_size': 2, 'lr': 1}\n"
    assert handover.ways == ("train.yaml",)
    assert (tmp_path / "train.yaml").read_text(encoding="utf-8") == "micro_batch_size: 64\nlr: 1\n"


def test_it_goes_by_the_name_that_the_user_gave() -> None:
    assert SPEC.title(check(ScriptConfig(path="here/train.py"))) == "here/train.py"
    assert SPEC.title(check(ScriptConfig(module="my.train"))) == "my.train"
