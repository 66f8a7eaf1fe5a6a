"""How much memory a check's workers need, beside plain training: ``python benchmarks/memory.py`` (see README.md).

Both train the same Llama on the same samples under the same split, one after the other, on the CPU. Under torchrun, as
accumcheck's workers are, a model is wrapped by DDP even in one process, whose buckets hold the gradient once more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import yaml

HERE = Path(__file__).parent
PYTHON = sys.executable
SPLIT = "1x4x2"
STEPS = 2
"""An optimizer makes its state in the first step; all that is there in the second is there at the peak."""
VOCABULARY = 32_000
TOKENS = 64
"""Of the longest text; the shortest has three quarters of them."""
SAMPLE_SECONDS = 0.02
TARGET = 1.1
MIB = 2**20


@dataclass
class Peak:
    """Of one process, in MiB. ``rss``: the kernel's own high-water mark; ``pss``: sampled, shared pages shared out."""

    rss: float = 0.0
    pss: float = 0.0


def main() -> None:
    """Measure, print, and write to ``--out``."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument(
        "--parameters",
        type=float,
        default=1e8,
        metavar="N",
        help="of the model, about (default: 1e8; 1e9 needs 15 GiB with sgd, 25 with adamw_torch)",
    )
    options.add_argument(
        "--optim", default="adamw_torch", metavar="NAME", help="Trainer's optimizer (default: adamw_torch)"
    )
    options.add_argument(
        "--tokens", type=int, default=TOKENS, metavar="N", help=f"of the longest text (default: {TOKENS})"
    )
    options.add_argument("--out", type=Path, action="append", default=[], metavar="FILE", help="FILE.json or FILE.md")
    given = options.parse_args()
    model = llama_of(given.parameters)
    with tempfile.TemporaryDirectory(prefix="accumcheck-bench-") as folder:
        config = Path(folder, "check.yaml")
        config.write_text(yaml.safe_dump(check_of(model, given.optim, given.tokens)), encoding="utf-8")
        _run([PYTHON, str(HERE / "prepare.py"), str(config), folder])
        n, b, k = SPLIT.split("x")
        script = [str(HERE / "plain_llama.py"), folder, b, k, str(STEPS), given.optim]
        torchrun = [PYTHON, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", n]
        alone = peaks([PYTHON, *script], _is_itself)
        plain = peaks([*torchrun, *script], _is_script)
        workers = peaks([PYTHON, "-m", "accumcheck", "run", str(config), "--quiet"], _is_worker)
    if (len(alone), len(plain), len(workers)) != (1, 1, 2):
        sys.exit(f"expected 1, 1 and 2 processes; found {len(alone)}, {len(plain)} and {len(workers)}")
    found = {
        "plain training under torchrun": plain[0],
        "plain training without it": alone[0],
        f"accumcheck: worker of {SPLIT}": workers[0],
        "accumcheck: worker of the reference": workers[1],
    }
    table = _table(found)
    size = f"{parameters_of(model) / 1e6:,.0f} M parameters, float32, texts of up to {given.tokens} tokens"
    count = f"{size}, split {SPLIT}, {STEPS} steps of {given.optim}"
    print(f"{count}\n\n{table}")
    for path in given.out:
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "model": model,
            "split": SPLIT,
            "optim": given.optim,
            "tokens": given.tokens,
            "mib": {name: asdict(peak) for name, peak in found.items()},
        }
        path.write_text(table if path.suffix == ".md" else json.dumps(record, indent=2) + "\n", encoding="utf-8")


def llama_of(parameters: float) -> dict[str, int | str]:
    """The configuration of a Llama with about so many parameters: wider ones from 4e8 on, and as many layers as fit."""
    hidden = 768 if parameters < 4e8 else 2048 if parameters < 4e9 else 4096
    layers = max(1, round((parameters - 2 * VOCABULARY * hidden) / (12 * hidden**2)))
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": hidden * 8 // 3,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "num_key_value_heads": hidden // 64,
        "vocab_size": VOCABULARY,
    }


def parameters_of(model: dict[str, int | str]) -> int:
    """Of such a Llama: two tables of the vocabulary, four projections and three of the MLP per layer, and the norms."""
    hidden, layers, inner = (int(model[key]) for key in ("hidden_size", "num_hidden_layers", "intermediate_size"))
    return 2 * VOCABULARY * hidden + layers * (4 * hidden**2 + 3 * hidden * inner + 2 * hidden) + hidden


def check_of(model: dict[str, int | str], optim: str, tokens: int) -> dict[str, object]:
    """The configuration of the check."""
    n, b, k = map(int, SPLIT.split("x"))
    return {
        "model": {"config": model},
        "data": {"synthetic": {"min_length": tokens * 3 // 4, "max_length": tokens}},
        "global_batch_size": n * b * k,
        "steps": STEPS,
        "training_arguments": {"optim": optim},
        "splits": [SPLIT],
        "launcher": {"device": "cpu", "timeout": 3600},
    }


def peaks(command: Sequence[str], counts: Callable[[psutil.Process, psutil.Process], bool]) -> list[Peak]:
    """Run a command; returns the peaks of those of its processes that count, the oldest first.

    Args:
        command: to be run to its end.
        counts: of a process and the command's own.
    """
    with psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        parent = psutil.Process(process.pid)
        found: dict[tuple[float, int], Peak] = {}
        while process.poll() is None:
            try:
                every = [parent, *parent.children(recursive=True)]
            except psutil.Error:
                every = []
            for one in every:
                try:
                    if counts(one, parent):
                        _sample(one, found.setdefault((one.create_time(), one.pid), Peak()))
                except (psutil.Error, OSError):  # it has just ended
                    continue
            time.sleep(SAMPLE_SECONDS)
        if process.returncode:
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{process.stdout.read()}")
    return [peak for _, peak in sorted(found.items())]


def _sample(process: psutil.Process, peak: Peak) -> None:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    marks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    if marks:  # none in a process that is ending
        peak.rss = max(peak.rss, int(marks[0]) / 1024)
        peak.pss = max(peak.pss, process.memory_full_info().pss / MIB)


def _is_itself(process: psutil.Process, parent: psutil.Process) -> bool:
    return process == parent


def _is_script(process: psutil.Process, parent: psutil.Process) -> bool:
    return parent in process.parents() and "plain_llama.py" in " ".join(process.cmdline())


def _is_worker(process: psutil.Process, parent: psutil.Process) -> bool:
    """Whether it was forked by the fork server, a child of the conductor, a child of the command."""
    above = process.parents()
    return parent in above and above.index(parent) == 2


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def _table(found: dict[str, Peak]) -> str:
    plain = next(iter(found.values()))
    lines = ["| process | peak RSS | ratio | peak PSS | ratio | target |", "| --- | --- | --- | --- | --- | --- |"]
    for name, peak in found.items():
        target = TARGET if name.startswith("accumcheck") else ""
        sizes = f"{peak.rss:.0f} MiB | {peak.rss / plain.rss:.2f} | {peak.pss:.0f} MiB | {peak.pss / plain.pss:.2f}"
        lines.append(f"| {name} | {sizes} | {target} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
