"""Many small runs at the same time on few cores. None may fail: ``python benchmarks/under_load.py``.

Every run is one ``accumcheck run`` of a tiny model: splits with one and two processes and the reference, which start
and end at the same times. Half of the runs use the stack ``accelerate``, half a script whose loop ends with
``accelerator.end_training()``. All must pass, and leave no file and no process behind.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LLAMA = {
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 64,
}
CHECK = {"global_batch_size": 4, "steps": 1, "splits": ["1x4x1", "1x2x2", "2x1x2"], "launcher": {"device": "cpu"}}
LOOP = """
import sys, torch
from accelerate import Accelerator
from transformers import LlamaConfig, LlamaForCausalLM, set_seed
from accumcheck import report_loss

set_seed(0)
b, k = int(sys.argv[1]), int(sys.argv[2])
accelerator = Accelerator(gradient_accumulation_steps=k, cpu=True)
model = LlamaForCausalLM(LlamaConfig(**{config}))
ids = torch.randint(0, 64, (4, 8))
loader = torch.utils.data.DataLoader([{{"input_ids": row, "labels": row}} for row in ids], batch_size=b)
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
"""


@dataclass(frozen=True)
class Outcome:
    """The result of one run: its exit code, why splits did not run, what was left behind, and its seconds."""

    code: int
    reasons: tuple[str, ...]
    left: tuple[str, ...]
    seconds: float


def main() -> int:
    """Run all, print the results, and return 1 if a run did not pass."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=300, metavar="N", help="number of runs (default: 300)")
    options.add_argument("--at-once", type=int, default=4, metavar="N", help="runs at the same time (default: 4)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="under-load-") as folder:
        place = Path(folder)
        configs = _write_configs(place)
        started = time.monotonic()
        with ThreadPoolExecutor(given.at_once) as pool:
            turns = [(place / str(turn), configs[turn % len(configs)]) for turn in range(given.runs)]
            outcomes = list(pool.map(lambda turn: _run(*turn), turns))
    _show(outcomes, time.monotonic() - started)
    return int(any(one.code or one.left for one in outcomes))


def _write_configs(place: Path) -> list[Path]:
    script = place / "loop.py"
    script.write_text(LOOP.format(config=LLAMA), encoding="utf-8")
    numbers = ["{per_device_train_batch_size}", "{gradient_accumulation_steps}"]
    found = []
    for name, keys in {
        "stack": {"stack": "accelerate", "model": {"config": LLAMA}},
        "script": {"stack": "script", "script": {"path": str(script), "arguments": numbers}},
    }.items():
        path = place / f"{name}.yaml"
        path.write_text(json.dumps({**CHECK, **keys}), encoding="utf-8")  # JSON is YAML
        found.append(path)
    return found


def _run(folder: Path, config: Path) -> Outcome:
    """One run with its own temporary folder, so that files that it leaves there are found."""
    folder.mkdir()
    command = [sys.executable, "-m", "accumcheck", "run", str(config), "--format", "json", "--quiet"]
    started = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(folder)}
    )
    seconds = time.monotonic() - started
    left = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))]
    outcome = Outcome(done.returncode, tuple(_reasons(done)), tuple(left), seconds)
    if outcome.code or outcome.left:
        print(f"{folder.name} ({config.stem}): {outcome}", file=sys.stderr, flush=True)
    return outcome


def _reasons(done: subprocess.CompletedProcess[str]) -> list[str]:
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return [done.stderr.strip() or "no report"]
    return [f"{split['split']}: {split['reason']}" for split in report["splits"] if split["verdict"] != "pass"]


def _show(outcomes: list[Outcome], seconds: float) -> None:
    passed = sum(one.code == 0 for one in outcomes)
    littered = sum(bool(one.left) for one in outcomes)
    print(f"{len(outcomes)} runs in {seconds:.0f} s on {os.cpu_count()} cores")
    print(f"passed      {passed}")
    print(f"left files  {littered}")
    print(f"longest     {max(one.seconds for one in outcomes):.0f} s")
    for reason, times in Counter(reason for one in outcomes for reason in one.reasons).most_common():
        print(f"{times:4} x {reason}")


if __name__ == "__main__":
    sys.exit(main())
