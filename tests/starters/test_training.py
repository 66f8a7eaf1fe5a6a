"""Configurations from the files of other tools: a Trainer's arguments, accelerate's and DeepSpeed's configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from accumcheck.cli import main
from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig

ARGUMENTS = {
    "output_dir": "out",
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "learning_rate": 2e-05,
    "warmup_ratio": 0.1,
    "max_grad_norm": 1.0,
    "bf16": True,
    "fp16": False,
    "fsdp": [],
    "fsdp_config": {"min_num_params": 0},
    "deepspeed": None,
    "hub_token": "<HUB_TOKEN>",
    "logging_steps": 500,
}
DEEPSPEED = {
    "train_micro_batch_size_per_gpu": 2,
    "gradient_accumulation_steps": 8,
    "gradient_clipping": 0.5,
    "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}, "overlap_comm": True},
    "bf16": {"enabled": True},
    "optimizer": {"type": "AdamW", "params": {"lr": 1e-5, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": "auto"}},
    "scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": 10}},
    "steps_per_print": 100,
}
FSDP = {
    "distributed_type": "FSDP",
    "mixed_precision": "bf16",
    "num_processes": 2,
    "fsdp_config": {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer, Other",
        "fsdp_reshard_after_forward": False,
    },
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, on a machine with two GPUs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    return tmp_path


def init(here: Path, option: str, told: dict[str, Any], *more: str) -> tuple[str, CheckConfig]:
    name = "given.yaml" if option == "--from-accelerate" else "given.json"
    (here / name).write_text(yaml.safe_dump(told) if name.endswith("yaml") else json.dumps(told), encoding="utf-8")
    assert main(["init", option, name, "--force", *more]) == 0
    assert main(["validate", "check.yaml"]) == 0
    return (here / "check.yaml").read_text(encoding="utf-8"), load_config(here / "check.yaml")


def test_training_arguments_give_their_split_and_what_changes_a_step(here: Path) -> None:
    text, check = init(here, "--from-training-arguments", ARGUMENTS)
    assert check.training_arguments == {
        "bf16": True,
        "learning_rate": 2e-05,
        "warmup_ratio": 0.1,
        "max_grad_norm": 1.0,
    }
    assert (check.stack, check.global_batch_size) == ("trainer", 16)  # 2 GPUs x 4 x 2
    assert "  - 2x4x2 # as you train\n" in text
    assert "#   7 fields that do not change a step (output, logging, saving ...) or are empty\n" in text
    assert "the model is not in the file: a tiny Llama is used" in text


def test_a_model_may_be_named_with_the_file(here: Path) -> None:
    text, check = init(here, "--from-training-arguments", ARGUMENTS, "--model", "gpt2")
    assert check.model.name_or_path == "gpt2"
    assert "a tiny Llama is used" not in text


def test_sizes_and_rates_of_deepspeed_are_left_to_trainer(here: Path) -> None:
    text, check = init(here, "--from-deepspeed", DEEPSPEED)
    assert check.training_arguments == {
        "max_grad_norm": 0.5,
        "learning_rate": 1e-5,
        "adam_epsilon": 1e-8,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "deepspeed": {
            **dict.fromkeys(("train_micro_batch_size_per_gpu", "gradient_accumulation_steps"), "auto"),
            "train_batch_size": "auto",
            "gradient_clipping": "auto",
            "zero_optimization": {"stage": 2, "overlap_comm": True},
            "optimizer": {"type": "AdamW", "params": dict.fromkeys(("lr", "betas", "eps", "weight_decay"), "auto")},
        },
    }
    assert check.global_batch_size == 32  # 2 GPUs x 2 x 8
    assert "  - 2x2x8 # as you train\n" in text
    for left_out in ("offload_optimizer: ", "scheduler: ", "bf16: "):
        assert f"#   {left_out}" in text


def test_accelerate_says_how_a_model_is_sharded(here: Path) -> None:
    text, check = init(here, "--from-accelerate", FSDP)
    assert check.training_arguments == {
        "bf16": True,
        "fsdp": "shard_grad_op auto_wrap",
        "fsdp_config": {
            "version": 2,
            "transformer_layer_cls_to_wrap": ["LlamaDecoderLayer", "Other"],
            "reshard_after_forward": False,
        },
    }
    assert max(split.num_processes for split in check.splits or ()) == 2
    assert "the batch size per process is not in accelerate's file" in text


def test_accelerate_with_more_processes_than_there_are_here_says_so(here: Path) -> None:
    text, check = init(here, "--from-accelerate", {"distributed_type": "MULTI_GPU", "num_processes": 8})
    assert check.training_arguments == {}
    assert max(split.num_processes for split in check.splits or ()) == 2
    assert "it starts 8 processes; the splits below use up to 2; for more, add splits 8xBxK" in text


def test_accelerate_with_deepspeed(here: Path) -> None:
    inner = {"zero_stage": 3, "gradient_accumulation_steps": 4, "offload_param_device": "cpu"}
    told = {"distributed_type": "DEEPSPEED", "mixed_precision": "bf16", "deepspeed_config": inner}
    text, check = init(here, "--from-accelerate", told)
    assert check.training_arguments["deepspeed"]["zero_optimization"] == {"stage": 3}
    assert "bf16" not in check.training_arguments
    assert "offload_param: " in text
    assert check.global_batch_size == 64  # 2 GPUs x 8, the default, x 4


def test_accelerate_with_a_file_of_deepspeeds(here: Path) -> None:
    (here / "ds.json").write_text(json.dumps(DEEPSPEED), encoding="utf-8")
    told = {"distributed_type": "DEEPSPEED", "deepspeed_config": {"deepspeed_config_file": "ds.json"}}
    _, check = init(here, "--from-accelerate", told)
    assert check.training_arguments["deepspeed"]["optimizer"]["type"] == "AdamW"
    assert check.training_arguments["max_grad_norm"] == 0.5


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--from-training-arguments", '{"a": 1}', "given.json: has none of per_device_train_batch_size, "),
        ("--from-training-arguments", "[]", "given.json: has none of per_device_train_batch_size, "),
        ("--from-deepspeed", "{", "given.json: not valid JSON: "),
        ("--from-accelerate", '{"x": 1}', "given.json: has none of distributed_type, num_processes, mixed_precision"),
        (
            "--from-deepspeed",
            '{"gradient_accumulation_steps": "many"}',
            "given.json: gradient_accumulation_steps: found 'many'; expected a whole number from 1 to 1000000",
        ),
        (
            "--from-training-arguments",
            '{"per_device_train_batch_size": 1000000, "gradient_accumulation_steps": 1000}',
            "given.json: 2x1000000x1000 are 2000000000 samples; expected at most 1000000",
        ),
    ],
)
def test_another_file_is_a_usage_error(
    here: Path, option: str, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "given.json").write_text(text, encoding="utf-8")
    assert main(["init", option, "given.json"]) == 2
    assert capsys.readouterr().err.startswith(message)
    assert not (here / "check.yaml").exists()


def test_two_files_are_a_usage_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--from-deepspeed", "a.json", "--from-accelerate", "b.yaml"]) == 2
    told = "--from-accelerate and --from-deepspeed: each of them says what to train; give only one\n"
    assert capsys.readouterr().err == told
