"""The command line beats the file, and the file beats the defaults, for every key; aliases are other names of keys."""

from pathlib import Path

import pytest

from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig, DataConfig, ModelConfig, SyntheticData
from accumcheck.errors import ConfigError
from accumcheck.record import Split

SMALL = "model: {config: {model_type: llama, hidden_size: 32}}\nglobal_batch_size: 8\nsplits: [1x8x1, 1x2x4]\n"


def load(folder: Path, text: str, *overrides: str) -> CheckConfig:
    path = folder / "check.yaml"
    path.write_text(text)
    return load_config(path, overrides)


def error_of(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(folder, text, *overrides)
    return str(raised.value).replace(str(folder / "check.yaml"), "check.yaml")


def test_command_line_beats_file_beats_default(tmp_path: Path) -> None:
    assert load(tmp_path, SMALL).steps == 3
    assert load(tmp_path, SMALL + "steps: 4\n").steps == 4
    assert load(tmp_path, SMALL + "steps: 4\n", "steps=5").steps == 5
    assert load(tmp_path, SMALL + "steps: 4\n", "steps=5", "steps=6").steps == 6


@pytest.mark.parametrize(
    ("override", "splits"),
    [
        ("splits=auto", None),
        ("splits=[4x2x1,1x8x1]", (Split(4, 2, 1), Split(1, 8, 1))),
        ("splits=[{n: 2, b: 2, k: 2}]", (Split(2, 2, 2),)),
    ],
)
def test_splits(tmp_path: Path, override: str, splits: tuple[Split, ...] | None) -> None:
    assert load(tmp_path, SMALL, override).splits == splits


def test_a_key_deep_inside(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL, "model.config.hidden_size=64", "training_arguments.optim=sgd")
    assert config.model.config == {"model_type": "llama", "hidden_size": 64}
    assert config.training_arguments == {"optim": "sgd"}


def test_values_are_yaml_and_may_hold_an_equals_sign(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL, "training_arguments.optim_args=a=1,b=2", "tolerances.loss=1e-3")
    assert config.training_arguments == {"optim_args": "a=1,b=2"}
    assert config.tolerances.loss == 0.001


def test_a_contradiction_between_command_line_and_file_cites_both(tmp_path: Path) -> None:
    text = SMALL + "data: {synthetic: {min_length: 9}}\n"
    assert error_of(tmp_path, text, "global_batch_size=16", "data.synthetic.max_length=4") == (
        "check.yaml:3: splits[0]: 1 x 8 x 1 = 8, but global_batch_size is 16 (--set global_batch_size=16); did you "
        "mean 1x8x2?\n"
        "check.yaml:3: splits[1]: 1 x 2 x 4 = 8, but global_batch_size is 16 (--set global_batch_size=16); did you "
        "mean 1x2x8?\n"
        "--set data.synthetic.max_length=4: data.synthetic.max_length: min_length 9 is above max_length 4; write "
        "min_length <= max_length"
    )


def test_an_empty_value_unsets_a_key(tmp_path: Path) -> None:
    text = SMALL.replace("}}", "}, architecture: LlamaForCausalLM}")
    assert load(tmp_path, text).model.architecture == "LlamaForCausalLM"
    assert load(tmp_path, text, "model.architecture=").model.architecture is None


def test_one_source_on_the_command_line_replaces_the_files_other_source(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    rows = str(tmp_path / "rows.jsonl")
    config = load(
        tmp_path, SMALL + "data: {synthetic: {max_length: 9}}", "model.name_or_path=gpt2", f"data.jsonl={rows}"
    )
    assert config.model == ModelConfig(name_or_path="gpt2", weights="pretrained")
    assert config.data == DataConfig(synthetic=None, jsonl=rows)


def test_two_sources_on_the_command_line_contradict_each_other(tmp_path: Path) -> None:
    assert error_of(tmp_path, SMALL, "model.name_or_path=gpt2", "model.config={model_type: llama}") == (
        "--set model.config={model_type: llama}: model.config: given together with model.name_or_path "
        "(--set model.name_or_path=gpt2); keep exactly one"
    )


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "splits.0=1x8x1",
            "--set splits.0=1x8x1: splits.0: cannot be set, since splits is a list (check.yaml:3); set splits as a "
            "whole",
        ),
        (
            "global_batch_size.x=1",
            "--set global_batch_size.x=1: global_batch_size.x: cannot be set, since global_batch_size is 8 "
            "(check.yaml:2); set global_batch_size as a whole",
        ),
        ("steps", "--set steps: not of the form key.path=value, for example --set model.dtype=float64"),
        ("=3", "--set =3: not of the form key.path=value, for example --set model.dtype=float64"),
        ("a..b=3", "--set a..b=3: not of the form key.path=value, for example --set model.dtype=float64"),
        (
            "steps=[1",
            "--set steps=[1: not valid YAML: expected ',' or ']', but got '<stream end>' (column 3); check "
            "indentation, quotes and brackets",
        ),
        ("steps=\a", "--set 'steps=\\x07': not valid YAML: the character #x0007 is not allowed; remove it"),
        ("steps=!foo 3", "--set steps=!foo 3: found the YAML tag !foo; tags are not allowed, write plain values"),
        (
            "model.dtpe=float64",
            "--set model.dtpe=float64: model.dtpe: unknown key; allowed here: name_or_path, config, architecture, "
            "shrink, weights, dtype, attn_implementation, revision, trust_remote_code; did you mean 'dtype'?",
        ),
        (
            "splits=[1x8x2]",
            "--set splits=[1x8x2]: splits[0]: 1 x 8 x 2 = 16, but global_batch_size is 8; did you mean 1x8x1?",
        ),
        (
            "launcher={device: cpu, device: cuda}",
            "--set launcher={device: cpu, device: cuda}: device: the key is given twice; keep one",
        ),
        (
            "torch_dtype=int8",
            "--set torch_dtype=int8: torch_dtype (model.dtype): found 'int8' (text); expected float64, float32, "
            "bfloat16 or float16",
        ),
    ],
)
def test_a_faulty_override_is_cited(tmp_path: Path, override: str, expected: str) -> None:
    assert error_of(tmp_path, SMALL, override) == expected


# --- aliases ----------------------------------------------------------------------------------------------------------


def test_a_configuration_in_other_tools_names(tmp_path: Path) -> None:
    text = """
base_model: gpt2
torch_dtype: bf16
trust_remote_code: true
attn_implementation: sdpa
revision_of_model: v1
sequence_len: 32
train_batch_size: 8
num_machines: 2
machine_rank: 1
launcher: {rdzv_endpoint: 'node0:29400', device: gpu}
splits:
- {num_gpus: 4, micro_batch_size: 2, gradient_accumulation: 1}
- {world_size: 2, train_micro_batch_size_per_gpu: 2, gradient_accumulation_steps: 2}
- {n: 1, b: 1, k: 8}
"""
    config = load(tmp_path, text)
    assert config.model == ModelConfig(
        name_or_path="gpt2",
        weights="pretrained",
        dtype="bfloat16",
        attn_implementation="sdpa",
        revision="v1",
        trust_remote_code=True,
    )
    assert config.global_batch_size == 8
    assert (config.launcher.nnodes, config.launcher.node_rank, config.launcher.device) == (2, 1, "cuda")
    assert config.data.synthetic == SyntheticData(max_length=32)
    assert config.splits == (Split(4, 2, 1), Split(2, 2, 2), Split(1, 1, 8))


@pytest.mark.parametrize(
    ("spelling", "dtype"),
    [
        ("fp64", "float64"),
        ("double", "float64"),
        ("torch.float32", "float32"),
        ("fp32", "float32"),
        ("float", "float32"),
        ("bf16", "bfloat16"),
        ("fp16", "float16"),
        ("half", "float16"),
    ],
)
def test_spellings_of_dtypes(tmp_path: Path, spelling: str, dtype: str) -> None:
    assert load(tmp_path, SMALL, f"model.dtype={spelling}").model.dtype == dtype


def test_an_alias_next_to_its_key_is_an_error(tmp_path: Path) -> None:
    text = SMALL + "train_batch_size: 8\n"
    assert error_of(tmp_path, text) == (
        "check.yaml:4: train_batch_size: another name of global_batch_size, which is also given (check.yaml:2); "
        "keep one"
    )


def test_two_aliases_of_one_key_are_an_error(tmp_path: Path) -> None:
    text = "base_model: gpt2\nmodel_name_or_path: gpt2\nglobal_batch_size: 8\nsplits: [1x8x1]\n"
    assert error_of(tmp_path, text) == (
        "check.yaml:2: model_name_or_path: another name of model.name_or_path, which is also given as base_model "
        "(check.yaml:1); keep one"
    )


def test_an_alias_on_the_command_line_beats_the_files_key_and_the_reverse(tmp_path: Path) -> None:
    assert load(tmp_path, SMALL, "train_batch_size=8", "model.torch_dtype=fp64").model.dtype == "float64"
    assert load(tmp_path, SMALL + "torch_dtype: fp16\n", "model.dtype=float64").model.dtype == "float64"
    assert load(tmp_path, SMALL, "base_model=gpt2").model.name_or_path == "gpt2"


def test_an_alias_and_its_key_on_the_command_line_are_an_error(tmp_path: Path) -> None:
    assert error_of(tmp_path, SMALL, "model.dtype=fp16", "torch_dtype=fp16") == (
        "--set torch_dtype=fp16: torch_dtype: another name of model.dtype, which is also given "
        "(--set model.dtype=fp16); keep one"
    )


def test_an_alias_inside_a_value_on_the_command_line(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL, "model={base_model: gpt2, torch_dtype: bf16}")
    assert config.model == ModelConfig(name_or_path="gpt2", weights="pretrained", dtype="bfloat16")


def test_the_greatest_length_follows_the_data(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    rows = f"data.jsonl={tmp_path}/rows.jsonl"
    assert load(tmp_path, SMALL, "cutoff_len=16").data.synthetic == SyntheticData(max_length=16)
    assert load(tmp_path, SMALL + "sequence_len: 32\n", rows).data.max_length == 32
    assert load(tmp_path, SMALL + "sequence_len: 32\n", "sequence_len=16", rows).data.max_length == 16
    assert load(tmp_path, SMALL + "data: {synthetic: {max_length: 32}}\n", "cutoff_len=16").data.synthetic == (
        SyntheticData(max_length=16)
    )
    assert load(tmp_path, SMALL + "sequence_len: 32\n", "data.synthetic.max_length=16").data.synthetic == (
        SyntheticData(max_length=16)
    )
    assert error_of(tmp_path, SMALL + "sequence_len: 32\ndata: {synthetic: {max_length: 16}}\n") == (
        "check.yaml:4: sequence_len: another name of data.synthetic.max_length, which is also given (check.yaml:5); "
        "keep one"
    )
