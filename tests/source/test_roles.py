"""Which flags take the numbers of a split."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.source.files import files_of
from accumcheck.source.flags.found import flags_in
from accumcheck.source.names import has_trainer, uses_processes
from accumcheck.source.roles import Role, roles_in


def roles(folder: Path, *names: str, more: str = "") -> dict[str, Role]:
    declared = "".join(f"parser.add_argument('--{name}', type=int)\n" for name in names)
    (folder / "train.py").write_text(f"{declared}args = parser.parse_args()\n{more}", encoding="utf-8")
    files = list(files_of(folder / "train.py"))
    return {role.number: role for role in roles_in(flags_in(files), files)}


@pytest.mark.parametrize(
    ("names", "batch", "accumulation", "steps"),
    [
        (("batch_size", "grad_accum", "max_steps"), "--batch_size", "--grad_accum", "--max_steps"),
        (("eval_batch_size", "train_batch_size"), "--train_batch_size", None, None),
        (("batch-size", "micro-batch-size"), "--micro-batch-size", None, None),
        (("per_gpu_train_batch_size", "per_gpu_eval_batch_size"), "--per_gpu_train_batch_size", None, None),
        (("bs", "accumulate", "iters"), "--bs", "--accumulate", "--iters"),
        (("accumulate_grad_batches", "num_batches"), None, "--accumulate_grad_batches", None),
        (
            ("warmup_steps", "eval_steps", "save_steps", "max_train_steps"),
            None,
            None,
            "--max_train_steps",
        ),
        (("warmup_steps", "steps_per_print", "local_sgd_steps"), None, None, None),
        (("max_batch_tokens", "learning_rate"), None, None, None),
    ],
)
def test_by_their_names(
    tmp_path: Path, names: tuple[str, ...], batch: str | None, accumulation: str | None, steps: str | None
) -> None:
    found = roles(tmp_path, *names)
    numbers = ("per_device_train_batch_size", "gradient_accumulation_steps", "steps")
    assert tuple(found[one].flag.name if one in found else None for one in numbers) == (batch, accumulation, steps)


def test_of_two_that_would_do_the_other_is_named(tmp_path: Path) -> None:
    role = roles(tmp_path, "micro_batch_size", "device_batch_size")["per_device_train_batch_size"]
    assert role.flag.name == "--micro_batch_size"
    assert [other.name for other in role.others] == ["--device_batch_size"]


def test_a_total_is_a_global_batch(tmp_path: Path) -> None:
    found = roles(tmp_path, "total_batch_size", "device_batch_size")
    assert found["global_batch_size"].placeholder == "{global_batch_size}"
    assert found["per_device_train_batch_size"].flag.name == "--device_batch_size"


@pytest.mark.parametrize(
    ("names", "more", "number", "placeholder"),
    [
        # nanoGPT's way
        (("grad_accum",), "grad_accum //= world_size\n", "gradient_accumulation_steps",
         "{gradient_accumulation_steps*num_processes}"),
        (("grad_accum",), "args.grad_accum = args.grad_accum // dist.get_world_size()\n", "gradient_accumulation_steps",
         "{gradient_accumulation_steps*num_processes}"),
        # that of torch's ImageNet example
        (("batch_size",), "args.batch_size = int(args.batch_size / ngpus_per_node)\n", "per_device_train_batch_size",
         "{per_device_train_batch_size*num_processes}"),
        # that of the first BERT scripts
        (("batch_size", "grad_accum"), "args.batch_size = args.batch_size // args.grad_accum\n",
         "per_device_train_batch_size", "{per_device_train_batch_size*gradient_accumulation_steps}"),
        # what is divided by something else is not
        (("batch_size", "grad_accum"), "lr = args.lr * args.batch_size / 256\nloss = loss / args.grad_accum\n",
         "per_device_train_batch_size", "{per_device_train_batch_size}"),
        (("grad_accum",), "loss = loss / grad_accum\nassert grad_accum % world_size == 0\n",
         "gradient_accumulation_steps", "{gradient_accumulation_steps}"),
    ],
)  # fmt: skip
def test_what_the_program_divides_itself_is_multiplied(
    tmp_path: Path, names: tuple[str, ...], more: str, number: str, placeholder: str
) -> None:
    role = roles(tmp_path, *names, more=more)[number]
    assert role.placeholder == placeholder
    line = 2 + len(names)
    assert role.place == (f"train.py:{line}" if "*" in placeholder else "")


@pytest.mark.parametrize(
    ("text", "trainer", "processes"),
    [
        ("from transformers import Trainer, TrainingArguments", True, False),
        ("from trl import SFTTrainer", True, False),
        ("from transformers import HfArgumentParser", False, False),
        ("from accelerate import Accelerator", False, True),
        ("import os\nrank = int(os.environ['LOCAL_RANK'])", False, True),
        ("import torch.distributed as dist\ndist.init_process_group()", False, True),
        ("import torch\nfor step in range(8): ...", False, False),
    ],
)
def test_trainers_and_processes(tmp_path: Path, text: str, trainer: bool, processes: bool) -> None:
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    trees = [file.tree for file in files_of(tmp_path / "train.py") if file.tree is not None]
    assert (has_trainer(trees), uses_processes(trees)) == (trainer, processes)
