"""What must never read as a pass: workers that die, hang, raise, run out of memory, or give NaN."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.program import TINY_LLAMA, Ended, accumcheck, leftovers, write_config, write_faulty_model

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


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The temporary folder of a run; pytest's own have names too long for sockets."""
    with tempfile.TemporaryDirectory(prefix="of-a-user-") as folder:
        yield Path(folder)


def run_faulty(
    folder: Path, temporary: Path, fault: str, splits: tuple[str, ...] = ("2x2x2",), **launcher: Any
) -> tuple[Ended, str, float]:
    """A run in which splits of two processes are hit; the control and the reference are sound."""
    config = write_config(
        folder,
        model=write_faulty_model(folder),
        splits=["1x8x1", *splits],
        launcher={"device": "cpu", **launcher},
    )
    mark = f"ACCUMCHECK_TEST={uuid.uuid4().hex}"
    started = time.monotonic()
    name, _, value = mark.partition("=")
    env = {"PLANTED": fault, name: value, "TMPDIR": str(temporary)}
    ended = accumcheck("run", config, "--format", "json", env=env)
    return ended, mark, time.monotonic() - started


def only_the_logs_are_left(temporary: Path, *logs: str) -> None:
    """The folders that the messages name are all that is there, with what the processes printed."""
    files = [path for path in temporary.rglob("*") if not path.is_dir()]
    for log in map(Path, logs):
        assert "stderr.log" in {path.name for path in files if log in path.parents}
    assert all(set(map(Path, logs)) & set(path.parents) for path in files), files


DEAD = {
    "2x1x4": ("kill:1:2:1", "crashed", "process 1 of 2 was killed by SIGKILL; the system may have run out of memory"),
    "2x2x2": ("raise:0:3:2", "crashed", "RuntimeError: planted: the model broke"),
    "2x4x1": ("memory:1:1:4", "out-of-memory", "out of memory: planted: tried to allocate 99 GiB"),
}
"""By the split that it hits: what is planted, and the kind and the text of the reason."""


def test_a_dead_worker_is_an_error_of_its_split_only(tmp_path: Path, temporary: Path) -> None:
    ended, mark, _ = run_faulty(tmp_path, temporary, ";".join(fault for fault, _, _ in DEAD.values()), tuple(DEAD))
    assert ended.code == 3, ended.err
    assert ended.report["verdict"] == "error"
    for split, (_, kind, reason) in DEAD.items():
        broken = ended.split(split)
        assert (broken["status"], broken["verdict"], broken["reason_kind"]) == ("error", "error", kind)
        assert broken["reason"].startswith(reason)  # and where, if the program's own code raised it
    only_the_logs_are_left(temporary, *(ended.split(split)["log"] for split in DEAD))
    assert ended.split("1x8x1")["verdict"] == "pass"
    assert leftovers(mark) == []


def test_a_hanging_rank_ends_within_the_limit_and_15_seconds(tmp_path: Path, temporary: Path) -> None:
    ended, mark, seconds = run_faulty(tmp_path, temporary, "hang:1:2", timeout=20)
    assert ended.code == 3, ended.err
    assert ended.split("2x2x2")["reason"] == "timed out: not finished after 20 s (launcher.timeout)"
    assert ended.split("2x2x2")["reason_kind"] == "hung"
    assert ended.split("2x2x2")["duration_seconds"] < 20 + 15
    only_the_logs_are_left(temporary, ended.split("2x2x2")["log"])
    assert ended.split("1x8x1")["verdict"] == "pass"
    assert leftovers(mark) == []
    assert seconds < 120


def test_nan_on_one_rank_fails(tmp_path: Path, temporary: Path) -> None:
    ended, _, _ = run_faulty(tmp_path, temporary, "nan:1:2")
    assert ended.code == 1, ended.err
    assert list(temporary.iterdir()) == []
    assert ended.split("1x8x1")["reason_kind"] is None
    assert ended.split("2x2x2")["verdict"] == "fail"
    assert ended.split("2x2x2")["steps"][0]["loss"] == "NaN"
    assert ended.split("1x8x1")["verdict"] == "pass"


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        config = write_config(tmp_path, launcher={"device": "cpu", "timeout": 30, "rdzv_endpoint": endpoint})
        ended = accumcheck("run", config, "--format", "json")
    assert ended.code == 3, ended.err
    # splits take ports in turn, the control the first
    assert ended.split("1x8x1")["reason"] == (
        f"the rendezvous port {endpoint} is already taken; give launcher.rdzv_endpoint another port"
    )
    assert ended.split("1x8x1")["verdict"] == "error"


def test_a_model_that_does_not_load_is_one_line_and_exit_3(tmp_path: Path) -> None:
    place = tmp_path / "model"
    place.mkdir()
    (place / "config.json").write_text(json.dumps({"model_type": "no_such_type"}), encoding="utf-8")
    config = write_config(tmp_path, model={"name_or_path": str(place), "weights": "random"})
    ended = accumcheck("run", config)
    assert ended.code == 3
    assert "no_such_type" in ended.out
    assert "could not be decided" in ended.out
    assert "Traceback" not in ended.out + ended.err


def test_too_few_gpus_is_skipped_and_no_pass(tmp_path: Path) -> None:
    config = write_config(tmp_path, launcher={"device": "cuda"})
    env = {"CUDA_VISIBLE_DEVICES": ""}
    # nothing at all ran: there is nothing that --allow-skipped could let pass
    ended = accumcheck("run", config, "--allow-skipped", "--format", "json", env=env)
    assert ended.code == 3
    assert [split["status"] for split in ended.report["splits"]] == ["skipped", "skipped"]
    assert ended.split("1x2x4")["reason"] == "needs 1 GPU, 0 present"
    assert ended.split("1x2x4")["reason_kind"] == "not-enough-devices"


def test_unwritable_output_stops_before_anything_is_trained(tmp_path: Path) -> None:
    # whatever is trained imports the model's code
    place = write_faulty_model(tmp_path)
    Path(place["name_or_path"], "modeling_faulty.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    ended = accumcheck("run", write_config(tmp_path, model=place), "-o", tmp_path / "no" / "such" / "report.json")
    assert ended.code == 2
    assert "does not exist" in ended.err
    assert "imported" not in ended.err


def test_a_process_that_cannot_end_after_its_last_word_does_not_hold_the_run_back(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(NEVER_ENDS.format(config=TINY_LLAMA), encoding="utf-8")
    numbers = ["{per_device_train_batch_size}", "{gradient_accumulation_steps}"]
    config = tmp_path / "check.yaml"
    check = {
        "stack": "script",
        "script": {"path": str(script), "arguments": numbers},
        "global_batch_size": 4,
        "steps": 1,
        "splits": ["1x4x1", "2x1x2"],
        "launcher": {"device": "cpu", "timeout": 120},
    }
    config.write_text(yaml.safe_dump(check), encoding="utf-8")
    ended = accumcheck("run", config, "--format", "json")
    assert ended.code == 0, ended.out + ended.err
    assert [split["verdict"] for split in ended.report["splits"]] == ["pass", "pass"]


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
