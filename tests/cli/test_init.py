"""``accumcheck init``: what it writes is valid, suits the machine, and replaces nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from accumcheck.cli import main
from accumcheck.config.devices import AssumedDevices
from accumcheck.config.load import load_config
from accumcheck.errors import ConfigError
from accumcheck.stacks import trainer
from accumcheck.stacks.protocol import LoopSpec, ProgramSpec
from accumcheck.stacks.registry import STACKS
from accumcheck.starters.llamafactory import starter_from_llamafactory
from accumcheck.starters.starter import starter

TRAINER = trainer.SPEC

TRAIN = """
model_name_or_path: llava-hf/llava-1.5-7b-hf
stage: sft
cutoff_len: 2048
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_is_valid_and_says_what_comes_next(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    assert capsys.readouterr().out == (
        "check.yaml written; next: accumcheck validate check.yaml, then accumcheck run check.yaml\n"
    )
    check = load_config(here / "check.yaml")
    assert check.model.config is not None
    assert {split.global_batch_size for split in check.splits or ()} == {check.global_batch_size}


def test_a_file_that_is_there_is_replaced_only_when_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "check.yaml").write_text("mine", encoding="utf-8")
    assert main(["init"]) == 2
    assert (here / "check.yaml").read_text(encoding="utf-8") == "mine"
    assert "check.yaml: exists already and was not changed" in capsys.readouterr().err
    assert main(["init", "--force"]) == 0
    assert load_config(here / "check.yaml").global_batch_size >= 8


def test_a_model_folder_is_named_from_where_the_file_is(here: Path) -> None:
    (here / "model").mkdir()
    (here / "checks").mkdir()
    (here / "model" / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    assert main(["init", "--model", "model", "-o", "checks/check.yaml"]) == 0
    assert "hub is out of reach" not in Path("checks/check.yaml").read_text()
    written = yaml.safe_load((here / "checks" / "check.yaml").read_text(encoding="utf-8"))
    assert written["model"]["name_or_path"] == "../model"
    assert load_config(here / "checks" / "check.yaml").model.name_or_path == str(here / "model")


def test_a_hub_id_is_left_as_it_is(here: Path) -> None:
    assert main(["init", "--model", "meta-llama/Llama-3.2-1B"]) == 0
    assert load_config(here / "check.yaml").model.name_or_path == "meta-llama/Llama-3.2-1B"
    assert "config: {model_type: ...} and architecture: ... instead" in Path("check.yaml").read_text()


@pytest.mark.parametrize(
    ("devices", "batch", "most"),
    [
        (AssumedDevices("cpu", 8, "8 CPU cores"), 16, 2),  # two processes of 8 samples: more CPU processes show no more
        (AssumedDevices("cpu", 1, "1 CPU core"), 8, 1),
        (AssumedDevices("cuda", 4, "CUDA_VISIBLE_DEVICES=0,1,2,3"), 32, 4),
        (AssumedDevices("cuda", 6, "/dev/nvidia[0-9]*"), 32, 4),  # the largest power of two
    ],
)
def test_batch_and_splits_suit_the_devices(tmp_path: Path, devices: AssumedDevices, batch: int, most: int) -> None:
    (tmp_path / "check.yaml").write_text(starter(None, devices, tmp_path, TRAINER), encoding="utf-8")
    check = load_config(tmp_path / "check.yaml")
    assert check.global_batch_size == batch
    assert max(split.num_processes for split in check.splits or ()) == most


def test_a_training_file_gives_its_own_split_and_global_batch(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text(TRAIN, encoding="utf-8")
    devices = AssumedDevices("cuda", 4, "CUDA_VISIBLE_DEVICES=0,1,2,3")
    text = starter_from_llamafactory(tmp_path / "train.yaml", devices, tmp_path)
    (tmp_path / "check.yaml").write_text(text, encoding="utf-8")
    check = load_config(tmp_path / "check.yaml")
    assert (check.stack, check.global_batch_size) == ("llamafactory", 64)  # 4 x 2 x 8
    assert "4x2x8" in [str(split) for split in check.splits or ()]
    assert "  - 4x2x8 # as you train\n" in text
    assert "#   cutoff_len: 2048\n" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stage: sft", "train.yaml: has no model_name_or_path; give the file of llamafactory-cli train"),
        ("a: [", "train.yaml: not valid YAML: "),
        (
            TRAIN.replace("steps: 8", "steps: many"),
            "train.yaml: gradient_accumulation_steps: found 'many'; expected a whole number from 1 to 1000000",
        ),
    ],
)
def test_a_file_that_is_no_training_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        starter_from_llamafactory(tmp_path / "train.yaml", AssumedDevices("cpu", 2, "2 CPU cores"), tmp_path)
    assert message in str(refused.value)


def test_a_missing_training_file_and_two_sources_are_usage_errors(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--from-llamafactory", "nope.yaml"]) == 2
    assert "nope.yaml: there is no such file; give the file of llamafactory-cli train" in capsys.readouterr().err
    assert main(["init", "--model", "gpt2", "--from-llamafactory", "nope.yaml"]) == 2
    assert "each of them says what to train; give only one" in capsys.readouterr().err
    assert not (here / "check.yaml").exists()


def test_a_script_is_named_from_where_the_file_is(here: Path) -> None:
    (here / "checks").mkdir()
    (here / "train.py").write_text("", encoding="utf-8")
    assert main(["init", "--script", "train.py", "-o", "checks/check.yaml"]) == 0
    check = load_config(here / "checks" / "check.yaml")
    assert (check.stack, check.script and check.script.path) == ("script", str(here / "train.py"))
    assert "{per_device_train_batch_size}" in (here / "checks" / "check.yaml").read_text(encoding="utf-8")


def test_a_script_that_is_not_there_is_told_before_anything_is_written(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--script", "nope.py"]) == 2
    assert "script.path: there is no file" in capsys.readouterr().err
    assert not (here / "check.yaml").exists()


@pytest.mark.parametrize("spec", STACKS, ids=lambda spec: spec.name)
def test_every_stack_has_a_configuration_to_start_from(
    here: Path, spec: LoopSpec | ProgramSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train.py", "train.yaml", "pairs.jsonl"):  # what the examples name
        (here / name).write_text("", encoding="utf-8")
    (here / "my-embedder").mkdir()
    assert main(["init", "--stack", spec.name]) == 0
    told = capsys.readouterr().out
    assert ("after you have named what it trains" in told) == isinstance(spec, ProgramSpec)
    assert load_config(here / "check.yaml").stack == spec.name


def test_a_model_may_be_given_for_a_stack_that_is_not_a_program(here: Path) -> None:
    assert main(["init", "--stack", "accelerate", "--model", "gpt2"]) == 0
    check = load_config(here / "check.yaml")
    assert (check.stack, check.model.name_or_path) == ("accelerate", "gpt2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--stack", "trl-sft", "--model", "gpt2"],
            "--stack and --model: each of them says what to train; give only",
        ),
        (
            ["--stack", "trainer", "--script", "a.py"],
            "--stack and --script: each of them says what to train; give",
        ),
        (["--stack", "trl-stf"], "--stack trl-stf: expected one of trainer, accelerate, trl-sft, "),
        (["--stack", "trl-stf"], "did you mean 'trl-sft'?"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    here: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (here / "check.yaml").exists()
