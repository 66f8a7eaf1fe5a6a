"""``accumcheck init --script``: what it writes can be validated at once, and says what it could not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.cli import main
from accumcheck.config.devices import AssumedDevices
from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.errors import ConfigError
from accumcheck.starters.script import starter_of_script

GPUS = AssumedDevices("cuda", 4, "CUDA_VISIBLE_DEVICES=0,1,2,3")
LOOP = """
import argparse, os
parser = argparse.ArgumentParser()
parser.add_argument("--batch_size", type=int, default=8)
parser.add_argument("--grad_accum", type=int, default=1)
parser.add_argument("--max_steps", type=int)
parser.add_argument("--data", required=True)
args = parser.parse_args()
rank = int(os.environ["RANK"])
"""


def written(folder: Path, text: str, *given: str, devices: AssumedDevices = GPUS) -> tuple[str, CheckConfig]:
    (folder / "train.py").write_text(text, encoding="utf-8")
    made = starter_of_script(folder / "train.py", given, devices, folder)
    (folder / "check.yaml").write_text(made, encoding="utf-8")
    return made, load_config(folder / "check.yaml")


def arguments(check: CheckConfig) -> tuple[str, ...]:
    assert check.script is not None
    return check.script.arguments


def test_the_users_arguments_are_kept_and_numbers_become_placeholders(tmp_path: Path) -> None:
    text, check = written(tmp_path, LOOP, "--data", "a b.json", "--batch_size", "4", "--grad-accum=2", "--name", "{x}")
    assert arguments(check) == (
        *("--data", "a b.json", "--batch_size", "{per_device_train_batch_size}"),
        *("--grad-accum={gradient_accumulation_steps}", "--name", "{{x}}", "--max_steps", "{steps}"),
    )
    assert check.global_batch_size == 32  # 4 GPUs x 4 x 2
    assert "  - 4x4x2 # as you train\n" in text
    assert "#   --batch_size: the samples of a micro-batch; 4 in your command line\n" in text
    assert "required, but not in the arguments" not in text


def test_without_arguments_flags_are_added_and_required_ones_are_named(tmp_path: Path) -> None:
    text, check = written(tmp_path, LOOP)
    assert arguments(check) == (
        *("--batch_size", "{per_device_train_batch_size}", "--grad_accum", "{gradient_accumulation_steps}"),
        *("--max_steps", "{steps}"),
    )
    assert "#   --data: required, but not in the arguments\n" in text
    assert check.global_batch_size == 32  # no training is known: 8 samples for each of 4 GPUs
    assert "as you train" not in text


def test_a_program_that_divides_its_steps_by_the_processes_gets_their_product(tmp_path: Path) -> None:
    given = ("--data", "x", "--batch_size", "2", "--grad_accum", "8")
    text, check = written(tmp_path, f"{LOOP}args.grad_accum //= world_size\n", *given)
    assert "{gradient_accumulation_steps*num_processes}" in arguments(check)
    assert "#   --grad_accum: the accumulation steps; the program divides them by the number of processes" in text
    assert "  - 4x2x2 # as you train\n" in text  # 8 steps over 4 processes


def test_a_trainer_needs_no_placeholders(tmp_path: Path) -> None:
    source = "from transformers import Trainer, TrainingArguments, HfArgumentParser\n"
    text, check = written(tmp_path, source, "--per_device_train_batch_size", "2", "--gradient_accumulation_steps=3")
    assert arguments(check) == ("--per_device_train_batch_size", "2", "--gradient_accumulation_steps=3")
    assert check.global_batch_size == 24
    assert "set in its TrainingArguments" in text
    assert "training_arguments: {}" in text


@pytest.mark.parametrize(
    ("given", "own"),
    [
        (["--batch_size", "4"], "4x4x2"),  # the accumulation steps are the default of its own flag
        (["--batch_size=2", "--grad_accum", "8"], "4x2x8"),
        (["--lr", "1e-4"], "4x16x2"),
    ],
)
def test_a_trainer_behind_flags_of_its_own_trains_what_they_say(tmp_path: Path, given: list[str], own: str) -> None:
    source = """
import argparse
from transformers import Trainer, TrainingArguments
parser = argparse.ArgumentParser()
parser.add_argument("--batch_size", type=int, default=16)
parser.add_argument("--grad_accum", type=int, default=2)
args = parser.parse_args()
TrainingArguments("o", per_device_train_batch_size=args.batch_size, gradient_accumulation_steps=args.grad_accum)
"""
    text, check = written(tmp_path, source, *given)
    assert arguments(check) == tuple(given)  # no placeholders: TrainingArguments are set
    assert [line.split()[1] for line in text.splitlines() if "as you train" in line] == [own]


def test_a_trainer_whose_numbers_are_in_its_source_is_not_said_to_train_the_defaults(tmp_path: Path) -> None:
    source = "from transformers import Trainer, TrainingArguments\n"
    text, _ = written(tmp_path, source, "--lr", "1e-4")
    assert "as you train" not in text


def test_a_program_that_uses_no_processes_is_checked_with_one(tmp_path: Path) -> None:
    text, check = written(tmp_path, LOOP.replace("RANK", "HOME"), "--data", "x")
    assert {split.num_processes for split in check.splits or ()} == {1}
    assert "it seems to use one process" in text


def test_what_takes_no_numbers_is_said(tmp_path: Path) -> None:
    text, check = written(tmp_path, "import torch\n", "--lr", "1e-3", "true")
    assert arguments(check) == ("--lr", "1e-3", "true")
    assert "no flag for the samples of a micro-batch was found" in text
    assert "no flag for the accumulation steps was found" in text


def test_a_large_batch_is_checked_with_fewer_samples(tmp_path: Path) -> None:
    text, check = written(tmp_path, LOOP, "--data", "x", "--batch_size", "64", "--grad_accum", "8")
    assert check.global_batch_size == 32
    assert "you train 4x64x8, 2048 samples per step" in text


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("train.sh", "python train.py", "this is a shell script; give the Python file that it starts"),
        ("train.yaml", "stage: sft\ntemplate: llava", "accumcheck init --from-llamafactory"),
        ("train.json", "{}", "this is not Python; give a Python file"),
    ],
)
def test_what_is_no_python_script_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        starter_of_script(tmp_path / name, [], GPUS, tmp_path)


@pytest.mark.parametrize("name", ["tr\nain: x.py", "a # b.py", 'quo"te.py', "{n}.py"])
def test_odd_names_do_no_harm(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(LOOP, encoding="utf-8")
    text = starter_of_script(tmp_path / name, ["--data", "x: [y", "# z", "no"], GPUS, tmp_path)
    (tmp_path / "check.yaml").write_text(text, encoding="utf-8")
    check = load_config(tmp_path / "check.yaml")
    assert check.script is not None
    assert check.script.path == str(tmp_path / name)
    assert arguments(check)[:4] == ("--data", "x: [y", "# z", "no")


def test_the_command_takes_what_follows_two_dashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(LOOP, encoding="utf-8")
    (tmp_path / "data.json").write_text("", encoding="utf-8")
    assert main(["init", "--script", "train.py", "--", "--data", "data.json", "--batch_size", "2"]) == 0
    assert main(["validate", "check.yaml"]) == 0
    assert capsys.readouterr().err == ""
    assert arguments(load_config(tmp_path / "check.yaml"))[:2] == ("--data", "data.json")
    assert main(["init", "train.py"]) == 2
    told = "train.py: arguments belong to a script; write accumcheck init --script train.py -- ARGUMENTS\n"
    assert capsys.readouterr().err == told
