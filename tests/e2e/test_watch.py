"""`accumcheck watch`: a rerun sees what was edited, in processes that have the imports already."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.program import command, leftovers
from tests.signals import default_signals

pytestmark = pytest.mark.e2e

TRAIN = """
import sys

import torch
from losses import divided
from transformers import LlamaConfig, LlamaForCausalLM

from accumcheck import report_loss

b, k = int(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 64}
model = LlamaForCausalLM(LlamaConfig(**sizes))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
rows = torch.randint(0, 64, (8, 12))
total = 0.0
for index in range(k):
    batch = rows[index * b : (index + 1) * b]
    loss = divided(model(input_ids=batch, labels=batch).loss, k)
    loss.backward()
    total += float(loss.detach())
optimizer.step()
report_loss(total)
"""
RIGHT = "def divided(loss, k):\n    return loss / k\n"
WRONG = "def divided(loss, k):\n    return loss\n"
CHECK = """
stack: script
script: {path: train.py, arguments: ["{per_device_train_batch_size}", "{gradient_accumulation_steps}"]}
global_batch_size: 8
steps: 1
splits: [1x8x1, 1x2x4]
launcher: {device: cpu}
"""
WAITING = "waiting for changes (Ctrl-C to end)"


@dataclass
class Watching:
    """A running `accumcheck watch`, and what it has printed since the last look."""

    process: subprocess.Popen[str]
    folder: Path
    mark: str
    lines: list[str] = field(default_factory=list)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until_waiting(self) -> str:
        """All that it printed until it waited again."""
        deadline = time.monotonic() + 120
        while WAITING not in self.lines and time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.02)
        assert WAITING in self.lines, self.lines
        end = self.lines.index(WAITING)
        found, self.lines[: end + 1] = self.lines[:end], []
        return "\n".join(found)

    def edit(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.until_waiting()


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    for name, text in (("train.py", TRAIN), ("losses.py", RIGHT), ("check.yaml", CHECK)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        command("watch", "check.yaml"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "ACCUMCHECK_TEST": mark},
        preexec_fn=default_signals,
    )
    one = Watching(process, tmp_path, f"ACCUMCHECK_TEST={mark}")
    listener = threading.Thread(target=one.listen)
    listener.start()
    try:
        yield one
    finally:
        for pid in leftovers(one.mark):
            os.kill(pid, signal.SIGKILL)
        process.wait(timeout=60)
        listener.join(timeout=60)
        assert process.stdout is not None
        process.stdout.close()


def conductors(one: Watching) -> list[int]:
    """They lead their process group; what is forked from them has their command line."""
    return [
        pid
        for pid in leftovers(one.mark)
        if "accumcheck.launch" in Path(f"/proc/{pid}/cmdline").read_text("utf-8") and os.getpgid(pid) == pid
    ]


def test_each_rerun_imports_the_users_modules_afresh_and_ctrl_c_is_never_a_pass(watching: Watching) -> None:
    assert "pass: 2 of 2 splits" in watching.until_waiting()
    first = conductors(watching)
    said = watching.edit("losses.py", WRONG)
    assert "changed: losses.py" in said
    assert "token-mean*k" in said
    assert "fail: 1 of 2 splits diverges (exit code 1: divergence)" in said
    assert "pass: 2 of 2 splits" in watching.edit("losses.py", RIGHT)
    # broken in ways that end a run, or that let none begin
    assert "SyntaxError" in watching.edit("losses.py", RIGHT.replace(":", ""))
    assert "pass: 2 of 2 splits" in watching.edit("losses.py", RIGHT)
    said = watching.edit("check.yaml", CHECK.replace("1x2x4", "1x2x5"))
    assert "check.yaml:6: splits[1]: " in said
    assert "loss" not in said
    assert "1x4x2" in watching.edit("check.yaml", CHECK.replace("1x2x4", "1x4x2"))
    assert conductors(watching) == first
    watching.process.send_signal(signal.SIGINT)
    assert watching.process.wait(timeout=60) == 130
    assert leftovers(watching.mark) == []


def test_a_conductor_that_is_killed_while_it_waits_is_replaced(watching: Watching) -> None:
    assert "pass: 2 of 2 splits" in watching.until_waiting()
    (pid,) = conductors(watching)
    os.kill(pid, signal.SIGKILL)
    assert "fail: 1 of 2 splits diverges" in watching.edit("losses.py", WRONG)
    assert conductors(watching) != [pid]
