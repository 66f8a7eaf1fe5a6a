"""What a valid configuration reads as."""

import json
from pathlib import Path

import pytest

from accumcheck.config.load import load_config
from accumcheck.config.model import (
    CheckConfig,
    DataConfig,
    DatasetSource,
    LauncherConfig,
    ModelConfig,
    SyntheticData,
    ToleranceConfig,
)
from accumcheck.record import Split

SMALL = "model: {name_or_path: gpt2}\nglobal_batch_size: 8\nsplits: [1x8x1, 1x2x4]\n"
QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


def load(folder: Path, text: str, *overrides: str) -> CheckConfig:
    path = folder / "check.yaml"
    path.write_text(text)
    return load_config(path, overrides)


def test_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, SMALL) == CheckConfig(
        model=ModelConfig(name_or_path="gpt2", weights="pretrained"),
        global_batch_size=8,
        splits=(Split(1, 8, 1), Split(1, 2, 4)),
        data=DataConfig(synthetic=SyntheticData(8, 64, (0.0, 0.5), 1, "varied")),
        steps=3,
        trajectory_steps=0,
        stack="trainer",
        launcher=LauncherConfig("auto", False, 600.0, 1, 0, None),
        seed=0,
    )


def test_every_key(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    text = """
model:
  config: {model_type: llama, hidden_size: 32, rms_norm_eps: 1e-5, id2label: {'0': a}, pad_token_id: null}
  architecture: LlamaForCausalLM
  shrink: yes
  weights: random
  dtype: float64
  attn_implementation: eager
  trust_remote_code: false
data: {jsonl: rows.jsonl, text_column: text, max_length: 128}
global_batch_size: 1_28
steps: 5
trajectory_steps: 20
splits: [4x16x2, {num_processes: 4, per_device_train_batch_size: 1, gradient_accumulation_steps: 32}]
stack: trainer
training_arguments: {average_tokens_across_devices: true, optim_args: [a, 1, 2.5, null]}
tolerances: {loss: 1e-3, grad_norm: auto, gradient: 1}
severity: {microbatch-mean: warn, token-mean/k: ignore, device-mean/n*k: fail, unexplained: warn}
launcher: {device: cuda, oversubscribe: true, timeout: 60, nnodes: 2, node_rank: 1, rdzv_endpoint: 'node0:29400'}
seed: 7
"""
    assert load(tmp_path, text) == CheckConfig(
        model=ModelConfig(
            config={
                "model_type": "llama",
                "hidden_size": 32,
                "rms_norm_eps": 0.00001,
                "id2label": {"0": "a"},
                "pad_token_id": None,
            },
            architecture="LlamaForCausalLM",
            shrink=True,
            weights="random",
            dtype="float64",
            attn_implementation="eager",
        ),
        global_batch_size=128,
        splits=(Split(4, 16, 2), Split(4, 1, 32)),
        data=DataConfig(synthetic=None, jsonl=str(tmp_path / "rows.jsonl"), text_column="text", max_length=128),
        steps=5,
        trajectory_steps=20,
        training_arguments={"average_tokens_across_devices": True, "optim_args": ["a", 1, 2.5, None]},
        tolerances=ToleranceConfig(loss=0.001, grad_norm=None, gradient=1.0),
        severity={
            "microbatch-mean": "warn",
            "token-mean/k": "ignore",
            "device-mean*k/n": "fail",
            "unexplained": "warn",
        },
        launcher=LauncherConfig("cuda", True, 60.0, 2, 1, "node0:29400"),
        seed=7,
    )


def test_the_other_sources_of_data(tmp_path: Path) -> None:
    dataset = load(tmp_path, SMALL + "data: {dataset: {name_or_path: trl-lib/Capybara, split: test}}").data
    assert dataset == DataConfig(synthetic=None, dataset=DatasetSource("trl-lib/Capybara", "test"))
    assert load(tmp_path, SMALL + "data: {synthetic: {lengths: equal}}").data == DataConfig(
        synthetic=SyntheticData(lengths="equal")
    )


def test_auto_splits_stay_open_until_the_devices_are_known(tmp_path: Path) -> None:
    assert load(tmp_path, SMALL.replace("[1x8x1, 1x2x4]", "auto")).splits is None


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("name_or_path: gpt2", "pretrained"),
        ("name_or_path: gpt2, shrink: true", "random"),
        ("name_or_path: gpt2, weights: random", "random"),
        ("config: {model_type: llama}", "random"),
    ],
)
def test_default_weights(tmp_path: Path, model: str, weights: str) -> None:
    text = f"model: {{{model}}}\nglobal_batch_size: 1\nsplits: [1x1x1]\n"
    assert load(tmp_path, text).model.weights == weights


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "0.001", "1.0e-3", "10e-4", ".001"])
def test_numbers_as_people_write_them(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, SMALL + f"tolerances: {{loss: {text}}}").tolerances.loss == 0.001


def test_a_local_model_is_found_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "configs").mkdir()
    monkeypatch.chdir(tmp_path)
    text = SMALL.replace("gpt2", "../models/mine")
    (tmp_path / "configs" / "check.yaml").write_text(text)
    config = load_config(Path("configs/check.yaml"))
    assert config.model.name_or_path == str(tmp_path / "models" / "mine")


def test_a_path_on_the_command_line_is_found_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "check.yaml").write_text(SMALL)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("configs/check.yaml"), ["model.name_or_path=./mine"])
    assert config.model.name_or_path == str(tmp_path / "mine")


def test_home_is_a_local_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(tmp_path, SMALL.replace("gpt2", "~/mine")).model.name_or_path == str(tmp_path / "mine")


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "check.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load_config(path) == load(tmp_path, SMALL)


def test_anchors_are_read(tmp_path: Path) -> None:
    text = SMALL + "training_arguments: {a: &x {b: 1}, c: *x}\n"
    assert load(tmp_path, text).training_arguments == {"a": {"b": 1}, "c": {"b": 1}}


def test_the_resolved_configuration_is_itself_a_configuration(tmp_path: Path) -> None:
    text = SMALL + "tolerances: {loss: 1e-5}\nmodel_revision: '1e5'\nseverity: {token-mean*k: warn}\n"
    config = load(tmp_path, text)
    assert load(tmp_path, json.dumps(config.to_dict())) == config
    assert CheckConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_quickstart() -> None:
    config = load_config(QUICKSTART)
    assert config.splits == (Split(1, 8, 1), Split(1, 2, 4), Split(2, 2, 2), Split(1, 1, 8))
    assert config.model == ModelConfig(
        config={
            "model_type": "llama",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": 128,
        },
        weights="random",
        dtype="float32",
    )
