"""Every kind of error is planted, and the whole text that the user reads is compared."""

import os
from pathlib import Path

import pytest

from accumcheck.config.load import load_config
from accumcheck.errors import ConfigError
from accumcheck.stacks.registry import STACKS

MODEL_KEYS = (
    "name_or_path, config, architecture, shrink, weights, dtype, attn_implementation, revision, trust_remote_code"
)
OF_STACKS = ", ".join(dict.fromkeys(key.name for stack in STACKS for key in stack.own))
ROOT_KEYS = (
    f"model, global_batch_size, splits, data, steps, trajectory_steps, stack, {OF_STACKS}, "
    "training_arguments, tolerances, severity, update, expect, launcher, hotfix, seed"
)
*FIRST, LAST = [stack.name for stack in STACKS]
STACK = f"{', '.join(FIRST)} or {LAST}"
RULES = (
    "token-mean, sample-mean, microbatch-mean, device-mean, unshifted-token-mean, unshifted-device-mean, "
    "last-microbatch, first-microbatch, window-geometric, window-partial, "
    "each with factors such as *k or *k*n, and dropped-samples, duplicated-samples, unsynchronised, unexplained"
)
SPLIT = "n x b x k, for example 4x16x2, with n from 1 to 65536, b and k from 1 to 1000000"

# Lines 1 to 3 of every planted configuration; the fault begins on line 4.
VALID = "model: {name_or_path: gpt2}\nglobal_batch_size: 8\nsplits: [1x8x1, 1x2x4]\n"


def errors_of(folder: Path, text: str | bytes, *overrides: str) -> str:
    """The error's text with the file's path shortened to ``check.yaml``."""
    path = folder / "check.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as raised:
        load_config(path, overrides)
    return str(raised.value).replace(str(path), "check.yaml").replace(str(folder), "FOLDER")


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        # --- unknown keys
        ("stepz: 3", f"check.yaml:4: stepz: unknown key; allowed here: {ROOT_KEYS}; did you mean 'steps'?"),
        ("qqqq: 3", f"check.yaml:4: qqqq: unknown key; allowed here: {ROOT_KEYS}"),
        ("'a key': 3", f"check.yaml:4: 'a key': unknown key; allowed here: {ROOT_KEYS}"),
        (
            "max_length: 3",
            f"check.yaml:4: max_length: unknown key; allowed here: {ROOT_KEYS}; "
            "did you mean 'data.max_length' or 'data.synthetic.max_length'?",
        ),
        (
            "launcher:\n  device: cpu\n  time_out: 3",
            "check.yaml:6: launcher.time_out: unknown key; allowed here: device, oversubscribe, timeout, nnodes, "
            "node_rank, rdzv_endpoint, single_process; did you mean 'timeout'?",
        ),
        (
            "data: {min_length: 3}",
            "check.yaml:4: data.min_length: unknown key; allowed here: synthetic, jsonl, dataset, text_column, "
            "messages_column, max_length, epochs, samples; did you mean 'data.synthetic.min_length'?",
        ),
        # --- keys that belong elsewhere
        (
            "micro_batch_size: 3",
            "check.yaml:4: micro_batch_size: each split sets it; write it in splits, for example splits: [4x16x2] "
            "(n x b x k)",
        ),
        ("max_steps: 3", "check.yaml:4: max_steps: accumcheck sets it; write steps, for example steps: 3"),
        ("learning_rate: 3", "check.yaml:4: learning_rate: not a top-level key; write it under training_arguments"),
        (
            "bf16: true",
            "check.yaml:4: bf16: not a top-level key; write model: {dtype: ...} for the weights, or training_arguments "
            "for mixed precision",
        ),
        # --- wrong types
        (
            "steps: '3'",
            "check.yaml:4: steps: found '3' (text); expected a whole number from 1 to 100000; remove the quotes",
        ),
        ("steps: true", "check.yaml:4: steps: found true (a boolean); expected a whole number from 1 to 100000"),
        ("steps: 3.0", "check.yaml:4: steps: found 3.0; expected a whole number from 1 to 100000"),
        ("steps:", "check.yaml:4: steps: found nothing; expected a whole number from 1 to 100000"),
        ("steps: [3]", "check.yaml:4: steps: found a list; expected a whole number from 1 to 100000"),
        ("steps: {a: 3}", "check.yaml:4: steps: found a mapping; expected a whole number from 1 to 100000"),
        ("steps: 010", "check.yaml:4: steps: found '010' (text); expected a whole number from 1 to 100000"),
        (
            "steps: !!int three",
            "check.yaml:4: steps: found 'three', which is not a valid !!int; fix it",
        ),
        (
            "launcher: {oversubscribe: 'yes'}",
            "check.yaml:4: launcher.oversubscribe: found 'yes' (text); expected true or false; remove the quotes",
        ),
        ("launcher: {oversubscribe: 1}", "check.yaml:4: launcher.oversubscribe: found 1; expected true or false"),
        (
            "launcher: cpu",
            "check.yaml:4: launcher: found 'cpu' (text); expected a mapping of keys: device, oversubscribe, timeout, "
            "nnodes, node_rank, rdzv_endpoint, single_process",
        ),
        (
            "training_arguments: [optim]",
            "check.yaml:4: training_arguments: found a list; expected a mapping of TrainingArguments' fields, for "
            "example {average_tokens_across_devices: true}",
        ),
        (
            "severity: warn",
            "check.yaml:4: severity: found 'warn' (text); expected a mapping of weighting rules to "
            "ignore, warn or fail",
        ),
        (
            "stack: 3",
            f"check.yaml:4: stack: found 3; expected {STACK}",
        ),
        # --- out of range
        ("steps: 0", "check.yaml:4: steps: found 0; expected a whole number from 1 to 100000"),
        ("steps: -3", "check.yaml:4: steps: found -3; expected a whole number from 1 to 100000"),
        ("trajectory_steps: -1", "check.yaml:4: trajectory_steps: found -1; expected a whole number from 0 to 1000000"),
        ("seed: 4294967296", "check.yaml:4: seed: found 4294967296; expected a whole number from 0 to 4294967295"),
        (
            "launcher: {timeout: 0}",
            "check.yaml:4: launcher.timeout: found 0; expected a number of seconds from 1 to 2592000",
        ),
        (
            "launcher: {timeout: .inf}",
            "check.yaml:4: launcher.timeout: found .inf; expected a number of seconds from 1 to 2592000",
        ),
        (
            "tolerances: {loss: -1e-3}",
            "check.yaml:4: tolerances.loss: found -1e-3; expected auto or a relative difference from 1e-16 to 1",
        ),
        (
            "tolerances: {loss: .nan}",
            "check.yaml:4: tolerances.loss: found .nan; expected auto or a relative difference from 1e-16 to 1",
        ),
        (
            "tolerances: {gradient: '1e-3'}",
            "check.yaml:4: tolerances.gradient: found '1e-3' (text); expected auto or a relative difference "
            "from 1e-16 to 1; remove the quotes",
        ),
        (
            "data: {synthetic: {min_length: 1}}",
            "check.yaml:4: data.synthetic.min_length: found 1; expected a whole number from 2 to 10000000",
        ),
        (
            "data: {synthetic: {min_length: 65}}",
            "check.yaml:4: data.synthetic.min_length: min_length 65 is above max_length 64; write min_length <= "
            "max_length",
        ),
        (
            "data: {synthetic: {max_length: 4}}",
            "check.yaml:4: data.synthetic.max_length: min_length 8 is above max_length 4; write min_length <= "
            "max_length",
        ),
        *(
            (
                f"data: {{synthetic: {{prompt_fraction: {pair}}}}}",
                f"check.yaml:4: data.synthetic.prompt_fraction: found {found}; expected a pair of fractions of at "
                "least 0 and below 1, the smaller first, for example [0.0, 0.5]",
            )
            for pair, found in (
                ("0.5", "0.5"),
                ("[0.5]", "a list"),
                ("[0.5, 1.0]", "a list"),
                ("[0.5, 0.2]", "a list"),
                ("[false, 0.5]", "a list"),
            )
        ),
        # --- choices
        (
            "launcher: {device: cudaa}",
            "check.yaml:4: launcher.device: found 'cudaa' (text); expected auto, cuda or cpu; did you mean 'cuda'?",
        ),
        (
            "severity: {microbatch-mean: error}",
            "check.yaml:4: severity.microbatch-mean: found 'error' (text); expected ignore, warn or fail",
        ),
        (
            "severity: {micro-batch-mean: warn}",
            f"check.yaml:4: severity.micro-batch-mean: unknown weighting rule; allowed: {RULES}; "
            "did you mean 'microbatch-mean'?",
        ),
        (
            "severity: {token-mean*k*k: warn}",
            f"check.yaml:4: severity.token-mean*k*k: unknown weighting rule; allowed: {RULES}; "
            "did you mean 'token-mean'?",
        ),
        (
            "severity: {token-mean*k/n: warn, token-mean/n*k: fail}",
            "check.yaml:4: severity.token-mean/n*k: token-mean*k/n is given twice; keep one",
        ),
        (
            "stack: trainr",
            f"check.yaml:4: stack: found 'trainr' (text); expected {STACK}; did you mean 'trainer'?",
        ),
        (
            "stack: trl-rewards",
            f"check.yaml:4: stack: found 'trl-rewards' (text); expected {STACK}; did you mean 'trl-reward'?",
        ),
        # --- shards
        (
            "trajectory_steps: 2\ntraining_arguments: {fsdp: full_shard}",
            "check.yaml:4: trajectory_steps: cannot be combined with training_arguments.fsdp; remove one of them",
        ),
        (
            "trajectory_steps: 2\ntraining_arguments: {deepspeed: zero3.json}",
            "check.yaml:4: trajectory_steps: cannot be combined with training_arguments.deepspeed; remove one of them",
        ),
        # --- programs
        (
            "script: {path: check.yaml}",
            "check.yaml:4: script: has no effect with stack: trainer; write stack: script, or remove it",
        ),
        (
            "callable: my_package",
            "check.yaml:4: callable: found 'my_package' (text); expected module:function, for example "
            "my_package.train:build_trainer, or file.py:function\n"
            "check.yaml:4: callable: has no effect with stack: trainer; write stack: callable, or remove it",
        ),
        # --- training arguments that are set elsewhere
        (
            "training_arguments:\n  optim: sgd\n  per_device_train_batch_size: 3\n  gradient_accumulation_steps: 2",
            "check.yaml:6: training_arguments.per_device_train_batch_size: each split sets it; write it in splits, for "
            "example splits: [4x16x2] (n x b x k)\n"
            "check.yaml:7: training_arguments.gradient_accumulation_steps: each split sets it; write it in splits, for "
            "example splits: [4x16x2] (n x b x k)",
        ),
        (
            "training_arguments: {max_steps: 1}",
            "check.yaml:4: training_arguments.max_steps: accumcheck sets it; write steps, for example steps: 3",
        ),
        (
            "training_arguments: {num_train_epochs: 1}",
            "check.yaml:4: training_arguments.num_train_epochs: accumcheck sets it; write data: {epochs: 2}, or steps",
        ),
        (
            "training_arguments: {output_dir: out}",
            "check.yaml:4: training_arguments.output_dir: accumcheck sets it to a temporary directory; remove it",
        ),
        (
            "training_arguments: {a: [1, {b: .inf}]}",
            "check.yaml:4: training_arguments.a[1].b: found .inf; expected a finite number",
        ),
        # --- machines
        (
            "launcher: {nnodes: 2, node_rank: 2, rdzv_endpoint: 'node0:29400'}",
            "check.yaml:4: launcher.node_rank: found 2; expected less than launcher.nnodes (2); machines are "
            "numbered from 0",
        ),
        (
            "launcher: {nnodes: 2}",
            "check.yaml:4: launcher.rdzv_endpoint: required for 2 machines; add for example rdzv_endpoint: node0:29400 "
            "(host:port of the first)",
        ),
        (
            "launcher: {rdzv_endpoint: node0}",
            "check.yaml:4: launcher.rdzv_endpoint: found 'node0' (text); expected host:port, for example node0:29400",
        ),
        # --- data
        ("data: {jsonl: none.jsonl}", "check.yaml:4: data.jsonl: there is no file FOLDER/none.jsonl"),
        ("data: {jsonl: .}", "check.yaml:4: data.jsonl: FOLDER is not a file"),
        (
            "data: {dataset: {name_or_path: ./none}}",
            "check.yaml:4: data.dataset.name_or_path: there is no directory FOLDER/none; a hub id is written without "
            "./, ../, / or ~ in front",
        ),
        (
            "data: {dataset: {split: test}}",
            "check.yaml:4: data.dataset.name_or_path: missing; add for example name_or_path: trl-lib/Capybara",
        ),
        (
            "data:\n  synthetic: {}\n  dataset: {name_or_path: a}",
            "check.yaml:6: data.dataset: given together with data.synthetic (check.yaml:5); keep one",
        ),
        (
            "data: {dataset: {name_or_path: a}, text_column: t, messages_column: m}",
            "check.yaml:4: data.messages_column: given together with data.text_column (check.yaml:4); keep one",
        ),
        (
            "data: {max_length: 16, text_column: t}",
            "check.yaml:4: data.max_length: has no effect on synthetic data; write data.synthetic.max_length\n"
            "check.yaml:4: data.text_column: has no effect on synthetic data; give data.jsonl or data.dataset, or "
            "remove it",
        ),
        # --- YAML
        ("steps: 1\nseed: 1\nsteps: 2", "check.yaml:6: steps: the key is given twice, first on line 4; keep one"),
        (
            "training_arguments: {a: {b: 1, b: 2}}",
            "check.yaml:4: training_arguments.a.b: the key is given twice, first on line 4; keep one",
        ),
        (
            "seed: !!python/object/apply:os.system [id]",
            "check.yaml:4: seed: found the YAML tag !!python/object/apply:os.system; tags are not allowed, write plain "
            "values",
        ),
        ("seed: !foo 3", "check.yaml:4: seed: found the YAML tag !foo; tags are not allowed, write plain values"),
        (
            "training_arguments:\n  3: 4",
            "check.yaml:5: training_arguments: found the key 3; keys are text, put it in quotes: '3'",
        ),
        (
            "training_arguments: {[1]: 4}",
            "check.yaml:4: training_arguments: found a list or mapping as key; keys are text, write a name",
        ),
        (
            "<<: {seed: 3}",
            "check.yaml:4: found the merge key <<; not supported, write the keys out",
        ),
        (
            "seed: 1: 2",
            "check.yaml:4: not valid YAML: mapping values are not allowed here (column 8); check indentation, quotes "
            "and brackets",
        ),
        (
            "seed: *later",
            "check.yaml:4: not valid YAML: found undefined alias 'later' (column 7); check indentation, quotes and "
            "brackets",
        ),
        ("seed: \a", "check.yaml:4: not valid YAML: the character #x0007 is not allowed; remove it"),
        (
            "---\nseed: 1",
            "check.yaml:4: a second YAML document begins here; a config is one document, so remove the line ---",
        ),
        ("training_arguments: {a: &a [*a]}", "check.yaml:4: nested too deeply; write at most 50 levels"),
        ("training_arguments: {a: " + "[" * 5000, "check.yaml:4: nested too deeply; write at most 50 levels"),
    ],
)
def test_a_fault_beside_valid_keys_is_the_only_error(tmp_path: Path, added: str, expected: str) -> None:
    assert errors_of(tmp_path, VALID + added + "\n") == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "{}",
            "check.yaml:1: model.name_or_path: missing; add for example name_or_path: ./my-model, or config: "
            "{model_type: llama}",
        ),
        (
            "gpt2",
            f"check.yaml:1: model: found 'gpt2' (text); expected a mapping of keys: {MODEL_KEYS}",
        ),
        (
            "{name_or_path: gpt2, config: {model_type: llama}}",
            "check.yaml:1: model.config: given together with model.name_or_path (check.yaml:1); keep exactly one",
        ),
        (
            "{config: {hidden_size: 3}}",
            "check.yaml:1: model.config.model_type: missing; add for example model_type: llama",
        ),
        (
            "{config: {model_type: 3}}",
            "check.yaml:1: model.config.model_type: found 3; expected text, for example model_type: llama",
        ),
        (
            "{config: llama}",
            "check.yaml:1: model.config: found 'llama' (text); expected a mapping, for example {model_type: llama, "
            "hidden_size: 32}",
        ),
        (
            "{config: {model_type: llama}, weights: pretrained}",
            "check.yaml:1: model.weights: an inline config has no pretrained weights; write weights: random, or give "
            "name_or_path",
        ),
        (
            "{name_or_path: gpt2, shrink: true, weights: pretrained}",
            "check.yaml:1: model.weights: pretrained weights do not fit a shrunk model; write weights: random, or "
            "shrink: false",
        ),
        (
            "{config: {model_type: llama}, revision: main}",
            "check.yaml:1: model.revision: has no effect with an inline config; remove it",
        ),
        (
            "{name_or_path: gpt2, dtype: float23}",
            "check.yaml:1: model.dtype: found 'float23' (text); expected float64, float32, bfloat16 or float16; "
            "did you mean 'float32'?",
        ),
        (
            "{name_or_path: gpt2, torch_dtype: float23}",
            "check.yaml:1: model.torch_dtype (model.dtype): found 'float23' (text); expected float64, float32, "
            "bfloat16 or float16; did you mean 'float32'?",
        ),
        (
            "{name_or_path: gpt2, dtype: bf16, torch_dtype: bf16}",
            "check.yaml:1: model.torch_dtype: another name of model.dtype, which is also given (check.yaml:1); "
            "keep one",
        ),
        (
            "{name_or_path: gpt2, revision: 12e4567}",
            "check.yaml:1: model.revision: found 12e4567; expected a branch, a tag or a commit id; put it in quotes: "
            "'12e4567'",
        ),
        (
            "{name_or_path: gpt2, architecture: 'GPT2 LM'}",
            "check.yaml:1: model.architecture: found 'GPT2 LM' (text); expected the name of a transformers class, for "
            "example LlamaForCausalLM",
        ),
        (
            "{name_or_path: ''}",
            "check.yaml:1: model.name_or_path: found '' (text); expected a hub id, or a local directory that begins "
            "with ./, ../, / or ~",
        ),
        (
            "{name_or_path: ./none}",
            "check.yaml:1: model.name_or_path: there is no directory FOLDER/none; a hub id is written without ./, ../, "
            "/ or ~ in front",
        ),
        (
            "{name_or_path: ./check.yaml}",
            "check.yaml:1: model.name_or_path: check.yaml is not a directory; a hub id is written without ./, ../, / "
            "or ~ in front",
        ),
    ],
)
def test_a_faulty_model(tmp_path: Path, model: str, expected: str) -> None:
    text = f"model: {model}\nglobal_batch_size: 8\nsplits: [1x8x1]\n"
    assert errors_of(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ("[4x16x4]", "check.yaml:3: splits[0]: 4 x 16 x 4 = 256, but global_batch_size is 128; did you mean 4x16x2?"),
        ("[1x3x5]", "check.yaml:3: splits[0]: 1 x 3 x 5 = 15, but global_batch_size is 128"),
        (
            "[{n: 4, b: 16, k: 4}]",
            "check.yaml:3: splits[0]: 4 x 16 x 4 = 256, but global_batch_size is 128; did you mean 4x16x2?",
        ),
        ("[4x16x2, 4 x 16 x 2]", "check.yaml:3: splits[1]: 4x16x2 is given twice, first as splits[0]; keep one"),
        ("[4x32]", f"check.yaml:3: splits[0]: found '4x32' (text); expected {SPLIT}"),
        ("[4x0x32]", f"check.yaml:3: splits[0]: found '4x0x32' (text); expected {SPLIT}"),
        ("[-4x1x32]", f"check.yaml:3: splits[0]: found '-4x1x32' (text); expected {SPLIT}"),
        ("[128]", f"check.yaml:3: splits[0]: found 128; expected {SPLIT}"),
        ("[[4, 16, 2]]", f"check.yaml:3: splits[0]: found a list; expected {SPLIT}; write 4x16x2"),
        (
            "[{n: 4, b: 16}]",
            "check.yaml:3: splits[0].gradient_accumulation_steps: missing; add for example "
            "gradient_accumulation_steps: 8",
        ),
        (
            "[{n: 4, b: 0, k: true}]",
            "check.yaml:3: splits[0].b (splits[0].per_device_train_batch_size): found 0; expected a whole number from "
            "1 to 1000000\n"
            "check.yaml:3: splits[0].k (splits[0].gradient_accumulation_steps): found true (a boolean); expected a "
            "whole number from 1 to 1000000",
        ),
        (
            "[{n: 4, num_gpus: 4, b: 16, k: 2}]",
            "check.yaml:3: splits[0].num_gpus: the same key as splits[0].n, which is also given; keep one",
        ),
        (
            "[{n: 4, b: 16, accum: 2, k: 2}]",
            "check.yaml:3: splits[0].accum: unknown key; allowed here: num_processes, per_device_train_batch_size, "
            "gradient_accumulation_steps",
        ),
        (
            "4x16x2",
            "check.yaml:3: splits: found '4x16x2' (text); expected auto or a list of 1 to 256 splits, for example "
            "[1x8x1, 2x2x2]; write [4x16x2]",
        ),
        (
            "[]",
            "check.yaml:3: splits: found a list; expected auto or a list of 1 to 256 splits, for example [1x8x1, "
            "2x2x2]",
        ),
        (
            "\n- 1x128x1\n- 1x128x2",
            "check.yaml:5: splits[1]: 1 x 128 x 2 = 256, but global_batch_size is 128; did you mean 1x128x1?",
        ),
    ],
)
def test_a_faulty_split(tmp_path: Path, splits: str, expected: str) -> None:
    text = f"model: {{name_or_path: gpt2}}\nglobal_batch_size: 128\nsplits: {splits}\n"
    assert errors_of(tmp_path, text) == expected


def test_all_errors_come_at_once_in_the_order_of_the_file_and_then_of_the_command_line(tmp_path: Path) -> None:
    text = "seed: x\nmodel: {dtype: float33}\ngobal_batch_size: 8\n"
    assert errors_of(tmp_path, text, "steps=0", "model.shrink=3") == "\n".join(
        [
            "check.yaml:1: seed: found 'x' (text); expected a whole number from 0 to 4294967295",
            "check.yaml:2: model.dtype: found 'float33' (text); expected float64, float32, bfloat16 or float16; "
            "did you mean 'float32'?",
            "check.yaml:2: model.name_or_path: missing; add for example name_or_path: ./my-model, or config: "
            "{model_type: llama}",
            f"check.yaml:3: gobal_batch_size: unknown key; allowed here: {ROOT_KEYS}; did you mean "
            "'global_batch_size'?",
            "check.yaml: global_batch_size: missing; add for example global_batch_size: 128",
            "check.yaml: splits: missing; add for example splits: [1x8x1, 1x2x4]",
            "--set model.shrink=3: model.shrink: found 3; expected true or false",
            "--set steps=0: steps: found 0; expected a whole number from 1 to 100000",
        ]
    )


def test_missing_required_keys_cite_the_file_and_say_what_to_add(tmp_path: Path) -> None:
    assert errors_of(tmp_path, "seed: 0\n") == (
        "check.yaml: global_batch_size: missing; add for example global_batch_size: 128\n"
        "check.yaml: splits: missing; add for example splits: [1x8x1, 1x2x4]\n"
        "check.yaml: model: missing; add for example model: {name_or_path: ./my-model}"
    )


EXAMPLE = "for example model: {name_or_path: ./my-model}, global_batch_size: 8 and splits: [1x8x1, 1x2x4]"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", f"check.yaml: the file is empty; write the keys of a check, {EXAMPLE}"),
        (b"# nothing\n", f"check.yaml: the file is empty; write the keys of a check, {EXAMPLE}"),
        (b"- a\n- b\n", f"check.yaml:1: found a list; expected a mapping of keys, {EXAMPLE}"),
        (b"\ngpt2\n", f"check.yaml:2: found one value; expected a mapping of keys, {EXAMPLE}"),
        (b"!foo {a: 1}\n", "check.yaml:1: found the YAML tag !foo; tags are not allowed, write plain values"),
        (b"seed: 1\nsteps: \xff\n", "check.yaml:2: not UTF-8 text (byte 0xff); save the file as UTF-8"),
    ],
)
def test_a_file_that_is_no_mapping(tmp_path: Path, content: bytes, expected: str) -> None:
    assert errors_of(tmp_path, content) == expected


def test_anchors_that_multiply_are_stopped(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert errors_of(tmp_path, "\n".join(lines)).endswith(
        ": more than 5000 values; each repetition of a YAML anchor counts; write fewer"
    )


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "none.yaml")
    assert str(raised.value) == f"{tmp_path}/none.yaml: there is no such file; give the path of a YAML file"


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path)
    assert str(raised.value) == f"{tmp_path}: this is a directory; give the path of a YAML file"


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "check.yaml"
    path.write_text(VALID)
    if os.geteuid() == 0:  # root reads everything, so the refusal is simulated

        def refuse(path: Path, flags: int) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    else:
        path.chmod(0)
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert str(raised.value) == f"{path}: cannot be read: Permission denied"
    assert raised.value.exit_code == 2
