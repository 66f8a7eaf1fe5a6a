"""What must never read as a pass: workers that die, hang, raise, run out of memory, or give NaN."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import (
    TINY_LLAMA,
    Ended,
    accumcheck,
    leftovers,
    run_together,
    write_config,
    write_faulty_model,
)

pytestmark = pytest.mark.e2e

NEVER_ENDS = '''
"""A right loop that leaves a thread behind for which its process waits at the end, and waits."""

import sys, threading, time, torch
from accelerate import Accelerator
from transformers import LlamaConfig, LlamaForCausalLM, set_seed
from accumcheck import report_loss

set_seed(0)
b, k = int(sys.argv[1]), int(sys.argv[2])
accelerator = Accelerator(gradient_accumulation_steps=k, cpu=True)
model = LlamaForCausalLM(LlamaConfig(**{config}))
rows = [{{"input_ids": row, "labels": row}} for row in torch.randint(0, 128, (4, 8))]
loader = torch.utils.data.DataLoader(rows, batch_size=b)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
model.train()
shown = torch.zeros(())
for batch in loader:
    with accelerator.accumulate(model):
        loss = model(**batch).loss
        shown += accelerator.reduce(loss.detach(), "mean") / k
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
report_loss(shown)
accelerator.end_training()
threading.Thread(target=time.sleep, args=(10_000,)).start()
'''


DEAD = {
    "2x1x4": ("kill:1:2:1", "crashed", "process 1 of 2 was killed by SIGKILL; the system may have run out of memory"),
    "2x2x2": ("raise:0:3:2", "crashed", "RuntimeError: planted: the model broke"),
    "2x4x1": ("memory:1:1:4", "out-of-memory", "out of memory: planted: tried to allocate 99 GiB"),
}
"""By the split that it hits: what is planted, and the kind and the text of the reason."""


def faulty(folder: Path, fault: str, splits: Sequence[str] = ("2x2x2",), **launcher: Any) -> dict[str, Any]:
    """Splits of two processes are hit; the control and the reference are sound."""
    model = write_faulty_model(folder, fault)
    return check(model=model, splits=["1x8x1", *splits], launcher={"device": "cpu", **launcher})


def check(**keys: Any) -> dict[str, Any]:
    sound = {"model": {"config": TINY_LLAMA}, "splits": ["1x8x1", "1x2x4"], "launcher": {"device": "cpu"}}
    return {"global_batch_size": 8, "steps": 2, **sound, **keys}


def unknown_model(folder: Path) -> dict[str, Any]:
    place = folder / "model"
    place.mkdir()
    (place / "config.json").write_text(json.dumps({"model_type": "no_such_type"}), encoding="utf-8")
    return check(model={"name_or_path": str(place), "weights": "random"})


def never_ends(folder: Path) -> dict[str, Any]:
    path = folder / "train.py"
    path.write_text(NEVER_ENDS.format(config=TINY_LLAMA), encoding="utf-8")
    numbers = ["{per_device_train_batch_size}", "{gradient_accumulation_steps}"]
    return {
        "stack": "script",
        "script": {"path": str(path), "arguments": numbers},
        "global_batch_size": 4,
        "steps": 1,
        "splits": ["1x4x1", "2x1x2"],
        "launcher": {"device": "cpu", "timeout": 120},
    }


def leaves(folder: Path) -> dict[str, Any]:
    """A program that ends its process with exit code 0, past all that Python does at an end."""
    (folder / "train.py").write_text("import os\n\nos._exit(0)\n", encoding="utf-8")
    return {
        "stack": "script",
        "script": {"path": str(folder / "train.py")},
        "global_batch_size": 4,
        "steps": 1,
        "splits": ["1x4x1"],
        "launcher": {"device": "cpu", "timeout": 120},
    }


@dataclass(frozen=True)
class Broken:
    """How the runs of one launch ended, and what was left of it.

    Attributes:
        ended: each run, by its name.
        endpoint: the port that was taken.
        files: those in the temporary folder.
        processes: those that did not end.
    """

    ended: dict[str, Ended]
    endpoint: str
    files: Sequence[Path]
    processes: Sequence[int]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """All of them, one after the other, in one launch: what one leaves behind would hit the next."""
    mark, folder = uuid.uuid4().hex, tmp_path_factory.mktemp("broken")
    with (
        socket.socket() as taken,
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="of-a-user-") as temporary,  # pytest's own have names too long for sockets
    ):
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        elsewhere = {"device": "cpu", "timeout": 30, "rdzv_endpoint": endpoint}
        patch.setenv("ACCUMCHECK_TEST", mark)
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setenv("TMPDIR", temporary)
        patch.setattr(tempfile, "tempdir", temporary)
        ended = run_together(
            folder,
            {
                "dead": partial(faulty, fault=";".join(fault for fault, _, _ in DEAD.values()), splits=tuple(DEAD)),
                "hang": partial(faulty, fault="hang:1:2", timeout=20),
                "nan": partial(faulty, fault="nan:1:2"),
                "taken-port": lambda _: check(launcher=elsewhere),
                "unknown-model": unknown_model,
                "no-gpus": lambda _: check(launcher={"device": "cuda"}),
                "never-ends": never_ends,
                "leaves": leaves,
            },
            allow_skipped=True,
        )
        files = [path for path in Path(temporary).rglob("*") if not path.is_dir()]
        yield Broken(ended, endpoint, files, leftovers(f"ACCUMCHECK_TEST={mark}"))


def test_a_dead_worker_is_an_error_of_its_split_only(broken: Broken) -> None:
    ended = broken.ended["dead"]
    assert ended.code == 3
    assert ended.report["verdict"] == "error"
    for split, (_, kind, reason) in DEAD.items():
        dead = ended.split(split)
        assert (dead["status"], dead["verdict"], dead["reason_kind"]) == ("error", "error", kind)
        assert dead["reason"].startswith(reason)  # and where, if the program's own code raised it
    assert ended.split("1x8x1")["verdict"] == "pass"


def test_a_hanging_rank_ends_within_the_limit_and_15_seconds(broken: Broken) -> None:
    ended = broken.ended["hang"]
    assert ended.code == 3
    assert ended.split("2x2x2")["reason"] == "timed out: not finished after 20 s (launcher.timeout)"
    assert ended.split("2x2x2")["reason_kind"] == "hung"
    assert ended.split("2x2x2")["duration_seconds"] < 20 + 15
    assert ended.split("1x8x1")["verdict"] == "pass"


def test_nan_on_one_rank_fails(broken: Broken) -> None:
    ended = broken.ended["nan"]
    assert ended.code == 1
    assert ended.split("1x8x1")["reason_kind"] is None
    assert ended.split("2x2x2")["verdict"] == "fail"
    assert ended.split("2x2x2")["steps"][0]["loss"] == "NaN"
    assert ended.split("1x8x1")["verdict"] == "pass"


def test_a_taken_port_is_named(broken: Broken) -> None:
    ended = broken.ended["taken-port"]
    assert ended.code == 3
    # splits take ports in turn, the control the first
    assert ended.split("1x8x1")["reason"] == (
        f"the rendezvous port {broken.endpoint} is already taken; give launcher.rdzv_endpoint another port"
    )
    assert ended.split("1x8x1")["verdict"] == "error"


def test_a_model_that_does_not_load_is_named_in_one_line_and_exit_3(broken: Broken) -> None:
    ended = broken.ended["unknown-model"]
    assert (ended.code, ended.report["verdict"]) == (3, "error")
    for split in ended.report["splits"]:
        assert "no_such_type" in split["reason"]
        assert "\n" not in split["reason"]


def test_too_few_gpus_is_skipped_and_no_pass(broken: Broken) -> None:
    ended = broken.ended["no-gpus"]
    # nothing at all ran: there is nothing that --allow-skipped could let pass
    assert ended.code == 3
    assert [split["status"] for split in ended.report["splits"]] == ["skipped", "skipped"]
    assert ended.split("1x2x4")["reason"] == "needs 1 GPU, 0 present"
    assert ended.split("1x2x4")["reason_kind"] == "not-enough-devices"


def test_a_process_that_cannot_end_after_its_last_word_does_not_hold_the_run_back(broken: Broken) -> None:
    ended = broken.ended["never-ends"]
    assert ended.code == 0, ended.out
    assert [split["verdict"] for split in ended.report["splits"]] == ["pass", "pass"]


def test_a_process_that_leaves_with_exit_code_0_is_no_result_and_not_waited_for(broken: Broken) -> None:
    ended = broken.ended["leaves"]
    assert ended.code == 3
    assert ended.split("1x4x1")["reason"].startswith(
        "process 0 of 1 ended with exit code 0 before its training was over"
    )


def test_only_the_logs_that_messages_name_are_left(broken: Broken) -> None:
    logs = {Path(split["log"]) for ended in broken.ended.values() for split in ended.report["splits"] if split["log"]}
    for split in DEAD:
        assert broken.ended["dead"].split(split)["log"]
    assert broken.ended["hang"].split("2x2x2")["log"]
    for log in logs:
        assert "stderr.log" in {path.name for path in broken.files if log in path.parents}
    assert all(logs & set(path.parents) for path in broken.files), broken.files
    assert broken.processes == []


def test_unwritable_output_stops_before_anything_is_trained(tmp_path: Path) -> None:
    # whatever is trained imports the model's code
    place = write_faulty_model(tmp_path)
    Path(place["name_or_path"], "modeling_faulty.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    ended = accumcheck("run", write_config(tmp_path, model=place), "-o", tmp_path / "no" / "such" / "report.json")
    assert ended.code == 2
    assert "does not exist" in ended.err
    assert "imported" not in ended.err


@pytest.mark.parametrize("size", ["8k", "64k"])
def test_a_full_disk_is_named_before_the_run_and_in_it(tmp_path: Path, size: str) -> None:
    device = tmp_path / "small"
    device.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(device)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small device can only be mounted by root")
    try:
        ended = accumcheck("run", write_config(tmp_path), env={"TMPDIR": str(device)})
    finally:
        subprocess.run(["umount", "-l", str(device)], check=True)
    assert ended.code == 3
    said = " ".join((ended.out + ended.err).split())  # the table breaks lines
    assert "no space left on the device mounted at" in said
    assert "Traceback" not in said
