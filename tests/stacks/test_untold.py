"""Whether a script is told its split, as far as its configuration and its text say."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Split
from accumcheck.stacks.programs.untold import why_untold
from accumcheck.stacks.script import ScriptConfig

LOOP = "import torch\n# TrainingArguments would do\nfor step in range(8): ...\n"


def why(folder: Path, text: str, *words: str, splits: int = 2) -> str:
    (folder / "train.py").write_text(text, encoding="utf-8")
    script = ScriptConfig(path=str(folder / "train.py"), arguments=words)
    chosen = (Split(1, 8, 1), Split(1, 2, 4))[:splits]
    return why_untold(CheckConfig(ModelConfig(), 8, chosen, stack="script", script=script))


def test_a_loop_that_is_told_nothing_is_said_with_how_to_tell_it(tmp_path: Path) -> None:
    found = why(tmp_path, LOOP, "--lr", "0.1", "--out", "run-{n}")
    assert found.startswith("nothing seems to tell train.py which split to train")
    assert "'{per_device_train_batch_size}'" in found
    assert "'{gradient_accumulation_steps*num_processes}'" in found


@pytest.mark.parametrize("word", ["{k}", "--batch={per_device_train_batch_size}", "{k*n}"])
def test_a_placeholder_tells_it(tmp_path: Path, word: str) -> None:
    assert why(tmp_path, LOOP, word) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gradient_accumulation_steps: 4\n", True),
        ("train: {lr: 1, micro_batch_size: 4}\n", True),
        ("accumulate: '{k*n}'\n", True),
        ("batch: 4\n# no micro_batch_size here\n", False),
    ],
)
def test_a_yaml_file_of_its_command_line_tells_it_under_known_names(tmp_path: Path, text: str, told: bool) -> None:
    (tmp_path / "train.yaml").write_text(text, encoding="utf-8")
    assert (why(tmp_path, LOOP, f"--config={tmp_path}/train.yaml") == "") is told


@pytest.mark.parametrize(
    "text",
    [
        "from transformers import TrainingArguments, Trainer\n",
        "import transformers\ntransformers.TrainingArguments('out')\n",
        "from transformers import HfArgumentParser\n",
        "from trl import SFTConfig\n",
        "def (",  # what Python cannot read is not judged
    ],
)
def test_training_arguments_tell_it(tmp_path: Path, text: str) -> None:
    assert why(tmp_path, text) == ""


def test_training_arguments_are_found_in_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "setup.py").write_text("from transformers import TrainingArguments\n", encoding="utf-8")
    assert why(tmp_path, "from mine import setup\n") == ""
    assert why(tmp_path, "from mine import other\n") != ""


def test_a_class_of_another_library_with_such_a_name_does_not(tmp_path: Path) -> None:
    assert why(tmp_path, "from lightning import Trainer\nfrom model import GPTConfig\n") != ""


def test_one_split_alone_need_not_be_told(tmp_path: Path) -> None:
    assert why(tmp_path, LOOP, splits=1) == ""


def test_modules_of_known_stacks_and_other_stacks_are_told_by_their_arguments() -> None:
    splits = (Split(1, 8, 1), Split(1, 2, 4))
    module = ScriptConfig(module="trl.scripts.sft")
    assert why_untold(CheckConfig(ModelConfig(), 8, splits, stack="script", script=module)) == ""
    assert why_untold(CheckConfig(ModelConfig(), 8, splits, stack="callable", callable="train:build")) == ""


def test_a_module_is_found_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_loop.py").write_text(LOOP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    splits = (Split(1, 8, 1), Split(1, 2, 4))
    check = CheckConfig(ModelConfig(), 8, splits, stack="script", script=ScriptConfig(module="a_loop"))
    assert why_untold(check).startswith("nothing seems to tell a_loop.py")
