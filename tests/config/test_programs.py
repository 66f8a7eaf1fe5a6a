"""Stacks that are a program, which has its own model and data; and our own loop, which has few settings."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from accumcheck.config.devices import AssumedDevices
from accumcheck.config.load import load_config
from accumcheck.config.plan import make_plan
from accumcheck.config.schema import config_schema
from accumcheck.config.show import plan_as_text
from accumcheck.errors import ConfigError
from accumcheck.stacks.script import ScriptConfig

HEAD = "global_batch_size: 8\nsplits: [1x8x1, 1x2x4]\n"


def written(folder: Path, text: str) -> Path:
    (folder / "train.py").write_text("", encoding="utf-8")
    path = folder / "check.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_a_script_is_found_beside_the_configuration_and_its_words_are_text(tmp_path: Path) -> None:
    path = written(tmp_path, "stack: script\nscript: {path: train.py, arguments: [--lr, 1e-3, --flag, true, 3]}\n")
    check = load_config(path)
    assert check.script == ScriptConfig(
        path=str(tmp_path / "train.py"), arguments=("--lr", "1e-3", "--flag", "true", "3")
    )
    assert check.runs_program
    assert type(check).from_dict(check.to_dict()) == check


def test_epochs_of_a_programs_data_say_how_many_steps_there_are(tmp_path: Path) -> None:
    check = load_config(written(tmp_path, "stack: callable\ncallable: a:b\ndata: {epochs: 2, samples: 12}\n"))
    assert check.steps == 4  # 8 and 4 rows, twice


def test_a_function_in_a_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    check = load_config(written(tmp_path, "stack: callable\ncallable: train.py:build_trainer\n"))
    assert check.callable == f"{tmp_path}/train.py:build_trainer"


@pytest.mark.parametrize(
    "text",
    [
        "stack: script\nscript: {module: trl.scripts.sft, arguments: [--max_length, 64]}\n",
        "stack: callable\ncallable: my_package.train:build_trainer\n",
        "stack: callable\ncallable: my_package.train:Suite.build\ncallable_arguments: {size: 2, names: [a, null]}\n",
        "stack: trl-sft\ntrl: {arguments: [--config, sft.yaml, --learning_rate, 1e-5]}\n",
        "stack: trl-dpo\ntrl: {arguments: [--config, dpo.yaml]}\n",
        "stack: trl-reward\ntrl: {arguments: [--config, reward.yaml]}\n",
        "stack: llamafactory\nllamafactory: {train: train.yaml}\n",
        "stack: callable\ncallable: my_package.train:build_trainer\ndata: {epochs: 2, samples: 12}\n",
    ],
)
def test_programs_need_no_model(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.yaml").write_text("stage: sft\n", encoding="utf-8")
    check = load_config(written(tmp_path, text))
    assert check.runs_program
    assert type(check).from_dict(json.loads(json.dumps(check.to_dict()))) == check
    devices = AssumedDevices("cpu", 1, "named")
    plan = make_plan(check, devices.count)
    again = written(tmp_path, "").with_name("again.yaml")
    again.write_text(plan_as_text(plan, devices, "check.yaml"), encoding="utf-8")
    assert load_config(again) == plan.config
    jsonschema.validate(yaml.safe_load(HEAD + text), config_schema())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stack: script\n", "check.yaml:3: stack: needs script; add for example script: {path: train.py}"),
        (
            "stack: callable\n",
            "check.yaml:3: stack: needs callable; add for example callable: my_package:build_trainer",
        ),
        (
            "stack: script\nscript: {path: train.py, module: train}\n",
            "check.yaml:4: script: expected exactly one of path and module, for example {path: train.py}",
        ),
        (
            "stack: callable\ncallable: a:b\nmodel: {config: {model_type: llama}}\n",
            "check.yaml:5: model: has no effect with stack: callable: the program has its own model; remove it",
        ),
        (
            "stack: callable\ncallable: a:b\ndata: {synthetic: {max_length: 9}, epochs: 2, samples: 12}\n",
            "check.yaml:5: data: has no effect with stack: callable: the program has its own data; remove it",
        ),
        (
            "stack: callable\ncallable: a:b\ndata: {epochs: 2}\n",
            "check.yaml:5: data.epochs: needs data.samples: how many rows make an epoch, for example samples: 40",
        ),
        (
            "stack: callable\ncallable: trian.py:build\n",
            "check.yaml:4: callable: there is no file trian.py",
        ),
        (
            "stack: callable\ncallable: train.py\n",
            "check.yaml:4: callable: found 'train.py' (text); expected module:function, for example",
        ),
        (
            "stack: script\nscript: {path: train.py}\ncallable_arguments: {size: 2}\n",
            "check.yaml:5: callable_arguments: has no effect with stack: script; write stack: callable, or remove it",
        ),
        (
            "stack: callable\ncallable: a:b\ncallable_arguments: [2]\n",
            "check.yaml:5: callable_arguments: found a list; expected a mapping of parameter names to values",
        ),
        ("stack: trl-sft\n", "check.yaml:3: stack: needs trl; add for example trl: {arguments: [--config, sft.yaml]}"),
        ("stack: trl-dpo\n", "check.yaml:3: stack: needs trl; add for example trl: {arguments: [--config, sft.yaml]}"),
        ("stack: trl-sft\ntrl: {}\n", "check.yaml:4: trl.arguments: missing; add for example"),
        (
            "stack: llamafactory\n",
            "check.yaml:3: stack: needs llamafactory; add for example llamafactory: {train: train.yaml}",
        ),
        (
            "stack: llamafactory\nllamafactory: {train: lora.yaml}\n",
            "check.yaml:4: llamafactory.train: there is no file lora.yaml",
        ),
        (
            "stack: llamafactory\nllamafactory: {train: train.py}\n",
            "check.yaml:4: llamafactory.train: found 'train.py' (text); expected the path of a .yaml or .json file",
        ),
        (
            "model: {config: {model_type: llama}}\ntrl: {arguments: [a]}\n",
            "check.yaml:4: trl: has no effect with stack: trainer; write stack: trl-sft, trl-dpo or trl-reward, "
            "or remove it",
        ),
        (
            "stack: accelerate\nmodel: {config: {model_type: llama}}\ntraining_arguments: {optim: sgd}\n",
            "check.yaml:5: training_arguments.optim: has no effect with stack: accelerate, which only uses bf16, fp16, "
            "learning_rate, max_grad_norm, weight_decay; remove it",
        ),
        (
            "stack: accelerate\nmodel: {config: {model_type: llama}}\ndata: {epochs: 2}\n",
            "check.yaml:5: data.epochs: not available with stack: accelerate; write steps",
        ),
        ("stack: script\nscript: {path: trian.py}\n", "check.yaml:4: script.path: there is no file"),
        (
            "stack: script\nscript: {path: train.py, arguments: --lr 1}\n",
            "check.yaml:4: script.arguments: found '--lr 1' (text); expected a list of words",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(written(tmp_path, text))
    assert message in str(raised.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("module", "stack"),
    [
        ("trl.scripts.sft", "trl-sft"),
        ("trl.scripts.dpo", "trl-dpo"),
        ("trl.commands.scripts.reward_modeling", "trl-reward"),  # TRL 0.12
        ("trl.scripts.kto", "trl-sft"),  # TRL's, if no stack of its own
        ("llamafactory.cli", "llamafactory"),
        ("my_package.train", "script"),
    ],
)
def test_a_module_of_a_known_package_is_that_stack(tmp_path: Path, module: str, stack: str) -> None:
    check = load_config(written(tmp_path, f"stack: script\nscript: {{module: {module}}}\n"))
    assert check.known_stack == stack


def test_a_placeholder_that_is_not_known_is_an_error_at_its_line(tmp_path: Path) -> None:
    text = "stack: script\nscript:\n  path: train.py\n  arguments:\n  - --batch\n  - '{per_device_batch_size}'\n"
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert str(raised.value).startswith(
        f"{path}:8: script.arguments[1]: {{per_device_batch_size}} is not a placeholder"
    )
    assert "did you mean {per_device_train_batch_size}?" in str(raised.value)


def test_placeholders_that_are_known_and_braces_of_the_programs_own_are_no_error(tmp_path: Path) -> None:
    words = "['{k*n}', '{global_batch_size}', '{{epoch}}', '{\"a\": 1}']"
    check = load_config(written(tmp_path, f"stack: script\nscript: {{path: train.py, arguments: {words}}}\n"))
    assert check.own(ScriptConfig).arguments == ("{k*n}", "{global_batch_size}", "{{epoch}}", '{"a": 1}')


def test_a_script_in_place_of_a_configuration_is_told_what_to_write(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import torch\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_config(script)
    assert str(raised.value) == (
        f"{script}: this is a Python script; expected the configuration of a check. Write one with accumcheck "
        f"init --script {script}, then run accumcheck run check.yaml"
    )
    with pytest.raises(ConfigError, match="there is no such file; give the path of a YAML file"):
        load_config(tmp_path / "none.py")


@pytest.mark.parametrize(
    ("name", "text", "what", "option"),
    [
        ("train.sh", "torchrun train.py", "a shell script; give the Python file that it starts", "--script FILE.py"),
        ("report.json", '{"schema_version": 3, "splits": []}', "a saved report", "accumcheck show "),
        ("a b.json", '{"schema_version": 3}', "a saved report", "a b.json' shows it"),
        ("a.yaml", "stage: sft\ntemplate: llava", "a training file of LLaMA-Factory", "--from-llamafactory "),
        ("a.yaml", "distributed_type: FSDP", "a configuration of accelerate launch", "--from-accelerate "),
        ("a.json", '{"zero_optimization": {}}', "a configuration of DeepSpeed", "--from-deepspeed "),
        (
            "a.json",
            '{"output_dir": "o", "per_device_train_batch_size": 2}',
            "a file with TrainingArguments",
            "--from-training-arguments ",
        ),
    ],
)
def test_a_file_of_another_tool_is_told_what_reads_it(
    tmp_path: Path, name: str, text: str, what: str, option: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / name)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{tmp_path / name}: this is {what}")
    assert option in line


@pytest.mark.parametrize(
    "text", ["stage: sft\ntemplate: x\nglobal_batch_size: 8\n", "stage: sft\n", "[stage, template]"]
)
def test_a_configuration_with_errors_is_not_taken_for_another_tools(tmp_path: Path, text: str) -> None:
    (tmp_path / "check.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"check\.yaml(:\d+)?: (?!this is)"):
        load_config(tmp_path / "check.yaml")


def test_a_script_is_found_in_the_working_directory_too_and_beside_the_configuration_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    path = tmp_path / "configs" / "check.yaml"
    path.write_text(HEAD + "stack: script\nscript: {path: src/train.py}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def found() -> str | None:
        return load_config(path).own(ScriptConfig).path

    with pytest.raises(ConfigError) as raised:
        found()
    assert str(raised.value) == (
        f"{path}:4: script.path: there is no file {tmp_path}/configs/src/train.py, nor {tmp_path}/src/train.py; a path "
        "is relative to the configuration or else the working directory"
    )
    for folder in (tmp_path, tmp_path / "configs"):
        (folder / "src").mkdir()
        (folder / "src" / "train.py").write_text("", encoding="utf-8")
        assert found() == str(folder / "src" / "train.py")


def test_arguments_are_found_in_the_working_directory_and_else_beside_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checks" / "data").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    for name in ("checks/own.yaml", "checks/both.json", "both.json", "checks/data/rows.jsonl", "checks/plain"):
        (tmp_path / name).write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = "[own.yaml, --config=own.yaml, both.json, ./data/rows.jsonl, plain, saves/run, --lr, 1e-3, data/]"
    path = written(tmp_path / "checks", f"stack: script\nscript: {{path: train.py, arguments: {words}}}\n")
    check = load_config(path)
    here = tmp_path / "checks"
    assert check.script is not None
    assert check.script.arguments == (
        *(f"{here}/own.yaml", f"--config={here}/own.yaml", "both.json", f"{here}/data/rows.jsonl"),
        *("plain", "saves/run", "--lr", "1e-3", "data/"),
    )
