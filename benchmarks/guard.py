"""What `accumcheck.Guard` costs a real training: ``python benchmarks/guard.py`` (see README.md).

The same small model is trained on the same rows without the guard, and with it at its default. A checked step is also
timed by itself, beside its neighbours: what 1,000 steps cost follows from it, and does not drown in the noise of a
shared machine. Seconds are of CPU time, in one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments, set_seed

from accumcheck import Guard

RUN = 1000
"""The length of the run that the share is of, in optimizer steps."""
ACCUMULATE = 4


def main() -> None:
    """Measure, print, and write to ``--out``."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=RUN, metavar="N", help=f"optimizer steps (default: {RUN})")
    options.add_argument("--repetitions", type=int, default=1, metavar="N", help="runs of each kind (default: 1)")
    options.add_argument("--out", type=Path, metavar="FILE", help="FILE.json")
    given = options.parse_args()
    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {"alone": [], "guarded": []}
    for _ in range(given.repetitions):
        for name in ("alone", "guarded"):
            seconds[name].append(sum(_steps(given.steps, Guard() if name == "guarded" else None)))
    whole = [guarded / alone for guarded, alone in zip(seconds["guarded"], seconds["alone"], strict=True)]
    checked, plain = _turns()
    extra = statistics.median(checked) - statistics.median(plain)
    checks = sum(step <= 2 or step % 500 == 0 for step in range(1, RUN + 1))
    share = checks * extra / (RUN * statistics.median(plain))
    rows = {
        "a step": f"{1000 * statistics.median(plain):.1f} ms",
        "a step that is checked": f"{1000 * statistics.median(checked):.1f} ms",
        "checked steps of 1,000, by default": str(checks),
        "their cost, of the whole run": f"{100 * share:.2f} %",
        f"{given.steps} steps, guarded over alone": f"{statistics.median(whole):.3f}",
    }
    print("\n".join(f"| {what} | {measured} |" for what, measured in rows.items()))
    if given.out is not None:
        given.out.write_text(
            json.dumps({"seconds": seconds, "checked": checked, "plain": plain, "rows": rows}, indent=2)
        )


class _Clock(TrainerCallback):  # type: ignore[misc]
    """The CPU seconds of every optimizer step, from the first micro-batch on to the beginning of the next."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.starts.append(time.process_time())

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.starts.append(time.process_time())

    @property
    def seconds(self) -> list[float]:
        return [after - before for before, after in zip(self.starts, self.starts[1:], strict=False)]


def _turns() -> tuple[list[float], list[float]]:
    """Seconds of steps that are checked, and of their neighbours that are not; the first few warm up."""
    took = _steps(120, Guard(first=0, every=2))
    return took[11::2], took[10::2]  # steps count from 1: every second one is checked


def _steps(steps: int, guard: Guard | None) -> list[float]:
    """Train so many steps; the seconds of each."""
    set_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=128,
            intermediate_size=352,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            vocab_size=2048,
            attention_dropout=0.1,
        )
    )
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="accumcheck-bench-") as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=2,
            gradient_accumulation_steps=ACCUMULATE,
            max_steps=steps,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
        )
        callbacks = [clock, *([guard] if guard is not None else [])]
        Trainer(model=model, args=arguments, train_dataset=_rows(512), callbacks=callbacks).train()
    return clock.seconds


def _rows(count: int) -> list[dict[str, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    rows = []
    for _ in range(count):
        ids = torch.randint(3, 2048, (64,), generator=draw)
        length = int(torch.randint(16, 64, (), generator=draw))
        labels = torch.where(torch.arange(64) < length, ids, -100)
        rows.append({"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
    return rows


if __name__ == "__main__":
    main()
