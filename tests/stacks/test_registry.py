"""What is listed, how a stack is found, and that listing them is cheap."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import accumcheck.stacks
from accumcheck.capture.patches import Seam
from accumcheck.config.model import CheckConfig, DataConfig, ModelConfig, SyntheticData
from accumcheck.errors import WorkloadError
from accumcheck.record import Split
from accumcheck.stacks.protocol import LoopSpec, ProgramSpec
from accumcheck.stacks.registry import STACKS, find_stack, stack_of_module, unused_packages

FOLDER = Path(accumcheck.stacks.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
CONFIGS = DOCS.parent / "configs"
NOT_STACKS = {"__init__", "protocol", "registry"}


def test_every_file_of_the_folder_is_a_stack_and_is_listed() -> None:
    files = {path.stem.replace("_", "-") for path in FOLDER.glob("*.py") if path.stem not in NOT_STACKS}
    assert {spec.name for spec in STACKS} | {"planted"} == files


def test_reading_them_imports_nothing_heavy() -> None:
    code = (
        "import sys, accumcheck.stacks.registry\n"
        "heavy = {'torch', 'numpy', 'transformers', 'accelerate', 'trl', 'yaml', 'accumcheck.config'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize("spec", STACKS, ids=lambda spec: spec.name)
def test_a_program_needs_a_key_and_a_loop_has_none(spec: LoopSpec | ProgramSpec) -> None:
    assert find_stack(spec.name) is spec
    assert bool(spec.own) == isinstance(spec, ProgramSpec)
    for key in spec.own[:1]:
        assert key.example.startswith(f"{key.name}: ")


def row_of(spec: LoopSpec | ProgramSpec) -> str:
    """The stack's row in the table of docs/stacks.md."""
    own = isinstance(spec, ProgramSpec)
    named = " with ".join(f"`{key.example}`" for key in spec.own if key.example) or "-"
    return (
        f"| `{spec.name}` | {spec.help} | {spec.package or '-'} | {'its own' if own else '`model`, `data`'} | {named} |"
    )


def test_the_table_of_the_docs_is_the_registry() -> None:
    text = (DOCS / "stacks.md").read_text(encoding="utf-8")
    table = text[text.index("| `stack:` |") : text.index("All but the first two")].strip().splitlines()
    assert table[2:] == [row_of(spec) for spec in STACKS]


@pytest.mark.parametrize("spec", STACKS, ids=lambda spec: spec.name)
def test_every_stack_has_an_example(spec: LoopSpec | ProgramSpec) -> None:
    found = [path for path in CONFIGS.glob("*.yaml") if f"stack: {spec.name}\n" in path.read_text(encoding="utf-8")]
    assert found or spec.name == "trainer"  # the default


@pytest.mark.parametrize("seam", Seam, ids=lambda seam: seam.value)
def test_the_docs_say_what_is_replaced_for_which_stack(seam: Seam) -> None:
    taking = [spec for spec in STACKS if seam in spec.seams]
    if len(taking) == len(STACKS):
        stacks = "every stack"
    elif taking == [spec for spec in STACKS if isinstance(spec, ProgramSpec)]:
        stacks = "every program"
    elif seam is Seam.TRAIN:
        stacks = "with `hotfix`"
    else:
        stacks = ", ".join(f"`{spec.name}`" for spec in taking)
    assert f"| `{seam.value}` | {stacks} | " in (DOCS / "stacks.md").read_text(encoding="utf-8")


def test_a_variant_follows_a_colon() -> None:
    assert find_stack("planted:times-k").name == "planted"


def test_an_unknown_name_is_an_error_with_those_that_are_known() -> None:
    with pytest.raises(WorkloadError, match=r"stack: magic is not known; expected one of trainer, accelerate, trl-sft"):
        find_stack("magic")


@pytest.mark.parametrize(
    ("module", "stack"),
    [
        ("trl.scripts.sft", "trl-sft"),
        ("trl.commands.scripts.reward_modeling", "trl-reward"),
        ("trl.scripts.kto", "trl-sft"),  # of several stacks of one package, the first
        ("llamafactory.cli", "llamafactory"),
        ("my_package.train", None),
        ("", None),
    ],
)
def test_a_module_of_a_known_package_is_that_stack(module: str, stack: str | None) -> None:
    assert stack_of_module(module) == stack


CHECK = CheckConfig(
    model=ModelConfig(config={"model_type": "llama"}),
    data=DataConfig(synthetic=SyntheticData()),
    global_batch_size=2,
    splits=(Split(1, 2, 1),),
)


@pytest.mark.parametrize("stack", ["trainer", "planted:times-k"])
def test_a_trainer_with_a_model_and_data_that_are_made_does_not_use_datasets(stack: str) -> None:
    assert unused_packages([CHECK, replace(CHECK, stack=stack)]) == ("datasets", "peft")


def test_without_a_check_nothing_is_known_to_be_unused() -> None:
    assert unused_packages([]) == ()


@pytest.mark.parametrize(
    "arguments",
    [
        {"learning_rate": 1e-3, "warmup_steps": 2, "weight_decay": 0},
        {"bf16": True, "average_tokens_across_devices": False, "gradient_checkpointing": True},
        {"report_to": [], "deepspeed": None, "torch_compile": False},
    ],
)
def test_training_arguments_that_need_no_package_change_nothing(arguments: dict[str, Any]) -> None:
    assert unused_packages([replace(CHECK, training_arguments=arguments)]) == ("datasets", "peft")


@pytest.mark.parametrize(
    "other",
    [
        {"model": ModelConfig(name_or_path="./adapter")},
        {"model": replace(CHECK.model, trust_remote_code=True)},
        {"data": DataConfig(synthetic=None, jsonl="train.jsonl")},
        {"model": replace(CHECK.model, attn_implementation="kernels-community/flash-attn")},
        {"stack": "script"},
        {"stack": "accelerate"},
        {"stack": "trl-sft"},
        {"training_arguments": {"report_to": ["mlflow"]}},
        {"training_arguments": {"deepspeed": {"zero_optimization": {"stage": 2}}}},
        {"training_arguments": {"optim": "galore_adamw"}},
        {"training_arguments": {"use_liger_kernel": True}},
        {"training_arguments": {"torch_compile": True}},
        {"training_arguments": {"use_liger_kernel": 1}},
    ],
    ids=str,
)
def test_what_comes_from_elsewhere_may_use_any_package(other: dict[str, Any]) -> None:
    assert unused_packages([CHECK, replace(CHECK, **other)]) == ()
