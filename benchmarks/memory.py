"""How much memory a check's workers need, beside plain training: ``python benchmarks/memory.py`` (see README.md).

Both train the same Llama on the same samples under the same split, one after the other, on the CPU or on one GPU. Under
torchrun, as accumcheck's workers are, a model is wrapped by DDP even in one process, whose buckets hold the gradient
once more.
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
ONE_LAYER = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
}
"""Of the model for which the samples are made, so that no large one is made for them."""
VOCABULARY = 32_000
TOKENS = 64
"""Of the longest text; the shortest has three quarters of them."""
SAMPLE_SECONDS = 0.02
TARGET = 1.1
MIB = 2**20


@dataclass
class Peak:
    """Of one process, in MiB.

    ``rss``: the kernel's own high-water mark; ``pss``: sampled, shared pages shared out; ``gpu``: sampled, what the
    driver says is taken of the GPU while this process lives, which nothing else may use.
    """

    rss: float = 0.0
    pss: float = 0.0
    gpu: float = 0.0


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
    options.add_argument("--steps", type=int, default=STEPS, metavar="N", help="optimizer steps (default: %(default)s)")
    options.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="default: %(default)s")
    options.add_argument("--dtype", default="float32", help="of weights and arithmetic (default: %(default)s)")
    options.add_argument("--out", type=Path, action="append", default=[], metavar="FILE", help="FILE.json or FILE.md")
    given = options.parse_args()
    model = llama_of(given.parameters)
    with tempfile.TemporaryDirectory(prefix="accumcheck-bench-") as folder:
        config = Path(folder, "check.yaml")
        check = check_of(model, given)
        config.write_text(yaml.safe_dump({**check, "model": {"config": {**model, **ONE_LAYER}}}), encoding="utf-8")
        _run(
            [PYTHON, str(HERE / "prepare.py"), str(config), folder]
        )  # the samples: they depend on the vocabulary alone
        saved = Path(folder, "config.json")
        saved.write_text(json.dumps({**json.loads(saved.read_text(encoding="utf-8")), **model}), encoding="utf-8")
        config.write_text(yaml.safe_dump(check), encoding="utf-8")
        n, b, k = SPLIT.split("x")
        script = [str(HERE / "plain_llama.py"), folder, b, k, str(given.steps), given.optim, given.device, given.dtype]
        torchrun = [PYTHON, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", n]
        run = [PYTHON, "-m", "accumcheck", "run", str(config), "--quiet"]
        worker, reference = f"accumcheck: worker of {SPLIT}", "accumcheck: worker of the reference"
        taken = gpu_memory() if given.device == "cuda" else None
        found: dict[str, Peak] = {}
        for names, command, counts in (
            (["plain training under torchrun"], [*torchrun, *script], _is_script),
            ([worker, reference], run, _is_worker),
            (["plain training without it"], [PYTHON, *script], _is_itself),
        ):
            measured = peaks(command, counts, taken)
            if len(measured) != len(names):
                sys.exit(f"{', '.join(names)}: expected {len(names)} processes, found {len(measured)}")
            found.update(zip(names, measured, strict=True))
            print(f"{', '.join(names)}: {measured}", file=sys.stderr, flush=True)  # a large model takes long
    table = _table(found, {"GPU memory": "gpu"} if given.device == "cuda" else {"RSS": "rss", "PSS": "pss"})
    size = f"{parameters_of(model) / 1e6:,.0f} M parameters, {given.dtype}, texts of up to {given.tokens} tokens"
    count = f"{size}, split {SPLIT}, {given.steps} steps of {given.optim}, on {given.device}"
    print(f"{count}\n\n{table}")
    for path in given.out:
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "model": model,
            "split": SPLIT,
            "optim": given.optim,
            "steps": given.steps,
            "tokens": given.tokens,
            "device": given.device,
            "dtype": given.dtype,
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


def check_of(model: dict[str, int | str], given: argparse.Namespace) -> dict[str, object]:
    """The configuration of the check."""
    n, b, k = map(int, SPLIT.split("x"))
    return {
        "model": {"config": model, "dtype": given.dtype},
        "data": {"synthetic": {"min_length": given.tokens * 3 // 4, "max_length": given.tokens}},
        "global_batch_size": n * b * k,
        "steps": given.steps,
        "training_arguments": {"optim": given.optim},
        "splits": [SPLIT],
        "launcher": {"device": given.device, "timeout": 3600},
    }


def gpu_memory() -> Callable[[], float]:
    """A function that returns how much of the first GPU's memory, in MiB, is taken beyond what is taken now."""
    import torch

    def taken() -> float:
        free, total = torch.cuda.mem_get_info(0)
        return (total - free) / MIB

    before = taken()  # this process's own CUDA context
    return lambda: taken() - before


def peaks(
    command: Sequence[str],
    counts: Callable[[psutil.Process, psutil.Process], bool],
    gpu: Callable[[], float] | None = None,
) -> list[Peak]:
    """Run a command; returns the peaks of those of its processes that count, the oldest first.

    Args:
        command: to be run to its end.
        counts: of a process and the command's own.
        gpu: returns how much of the GPU's memory is taken, in MiB.
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
                        _sample(one, found.setdefault((one.create_time(), one.pid), Peak()), gpu)
                except (psutil.Error, OSError):  # it has just ended
                    continue
            time.sleep(SAMPLE_SECONDS)
        if process.returncode:
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{process.stdout.read()}")
    return [peak for _, peak in sorted(found.items())]


def _sample(process: psutil.Process, peak: Peak, gpu: Callable[[], float] | None) -> None:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    marks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    if marks:  # none in a process that is ending
        peak.rss = max(peak.rss, int(marks[0]) / 1024)
        if gpu is None:
            peak.pss = max(peak.pss, process.memory_full_info().pss / MIB)
        else:  # reading PSS takes long where a GPU's memory is mapped
            peak.gpu = max(peak.gpu, gpu())


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


def _table(found: dict[str, Peak], kinds: dict[str, str]) -> str:
    """One row per process; ``kinds``: the kinds of memory that are shown, as headings, and their fields of `Peak`."""
    plain = next(iter(found.values()))
    columns = [heading for kind in kinds for heading in (f"peak {kind}", "ratio")]
    lines = [["process", *columns, "target"], ["---"] * (len(columns) + 2)]
    for name, peak in found.items():
        cells = [name]
        for of in kinds.values():
            size = getattr(peak, of)
            cells += [f"{size:.0f} MiB", f"{size / getattr(plain, of):.2f}"]
        lines.append([*cells, str(TARGET) if name.startswith("accumcheck") else ""])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
