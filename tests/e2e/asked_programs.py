"""The programs that `test_programs` runs, each with the configuration of its check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parents[1] / "programs"
SCHEDULE = Path(__file__).parents[2] / "configs" / "examples" / "schedule.py"
LOOP = ["--batch", "{per_device_train_batch_size}", "--accumulate", "{gradient_accumulation_steps}"]


def check(*splits: str, steps: int = 2, **keys: Any) -> dict[str, Any]:
    asked = splits or ("1x8x1", "1x2x4", "2x2x2")
    return {
        "stack": "script",
        "global_batch_size": 8,
        "steps": steps,
        "splits": list(asked),
        "launcher": {"device": "cpu"},
        **keys,
    }


def program(name: str, *arguments: str) -> dict[str, Any]:
    return {"path": str(PROGRAMS / name), "arguments": list(arguments)}


def trainer(folder: Path, *splits: str, name: str = "train.py", words: tuple[str, ...] = ()) -> dict[str, Any]:
    return check(*splits, script=program(name, "--output_dir", str(folder), *words))


def loop(name: str, *words: str, splits: tuple[str, ...] = ("1x8x1", "1x2x4")) -> dict[str, Any]:
    return check(*splits, script=program(name, *LOOP, *words))


def written(folder: Path, text: str, *arguments: str, splits: tuple[str, ...] = (), steps: int = 2) -> dict[str, Any]:
    """The check of a program with this text."""
    (folder / "train.py").write_text(text, encoding="utf-8")
    return check(*splits, steps=steps, script={"path": "train.py", "arguments": list(arguments)})


def reads_yaml(folder: Path) -> dict[str, Any]:
    file = folder / "train.yaml"
    file.write_text("per_device_train_batch_size: 64\ngradient_accumulation_steps: 1\n", encoding="utf-8")
    return check("1x8x1", "1x2x4", script=program("loop.py", "--config", str(file), "--count-tokens"))


DOES_NOT_TRAIN = """
import sys
if sys.argv[1] == "4":
    raise ValueError("no data here")
if sys.argv[1] == "2":
    sys.exit("wrong words")
print("nothing is trained")
"""

LIKE_NANOGPT = """
import os, sys, torch, torch.distributed as dist
from accumcheck import report_loss
batch, accumulate = int(sys.argv[1]), int(sys.argv[2])
parallel = int(os.environ.get("RANK", -1)) != -1 or sys.argv[3] == "always"
if parallel:
    dist.init_process_group("gloo")
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    assert accumulate % world == 0
    accumulate //= world
else:
    rank, world = 0, 1
torch.manual_seed(0)
data = torch.randn(16, 3), torch.randn(16, 1)
model = torch.nn.Linear(3, 1)
trained = torch.nn.parallel.DistributedDataParallel(model) if parallel else model
optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
shown = torch.zeros(())
for turn in range(accumulate):
    first = (turn * world + rank) * batch
    rows = slice(first, first + batch)
    loss = ((trained(data[0][rows]) - data[1][rows]) ** 2).mean() / accumulate
    loss.backward()
    shown += loss.detach()
if parallel:
    dist.all_reduce(shown)
optimizer.step()
report_loss(shown / world)
"""

SEED_BY_PROCESS = """
import os, sys, torch, torch.distributed as dist
b, k, steps = map(int, sys.argv[1:])
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
if world > 1:
    dist.init_process_group("gloo")
x, y = torch.randn(16, 3, generator=torch.Generator().manual_seed(0)), torch.ones(16, 1)
torch.manual_seed(rank)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(steps):
    for turn in range(k):
        first = ((step * k + turn) * world + rank) * b
        (((model(x[first : first + b]) - y[first : first + b]) ** 2).mean() / k).backward()
    for parameter in model.parameters() if world > 1 else ():
        dist.all_reduce(parameter.grad)
        parameter.grad /= world
    optimizer.step()
    optimizer.zero_grad()
"""

CRASHES = "def main():\n    {}['data']\n\nmain()\n"

REFUSED = """
import sys, time, transformers
if sys.argv[1] == '4': time.sleep(10_000)  # a split that would train for long
class GRPOTrainer(transformers.Trainer): ...
GRPOTrainer(model=None)
"""

THREE = ("1x8x1", "1x2x4", "2x4x1")
RUNS = {
    "clean": lambda folder: trainer(folder, words=("--after", str(folder / "after"))),
    "flattened": lambda folder: trainer(folder, words=("--flatten",)),
    "reads-yaml": reads_yaml,
    "ignores-count": lambda folder: trainer(folder, words=("--ignores_count",)),
    "own-loop": lambda _: loop("loop.py", splits=("1x8x1", "1x2x4", "2x2x2")),
    "silent": lambda _: loop("loop.py", "--silent", splits=("1x8x1", "1x2x4", "2x2x2")),
    "does-not-train": lambda folder: written(folder, DOES_NOT_TRAIN, "{b}", splits=("1x8x1", "1x4x2", "1x2x4")),
    "tested": lambda folder: written(folder, LIKE_NANOGPT, "{b}", "{k*n}", "tested", steps=1),
    "always": lambda folder: written(folder, LIKE_NANOGPT, "{b}", "{k*n}", "always", steps=1),
    "crashes": lambda folder: written(folder, CRASHES),
    "refused": lambda folder: written(folder, REFUSED, "{k}"),
    "schedule": lambda _: check(*THREE, script={"path": str(SCHEDULE), "arguments": LOOP}),
    "unseeded": lambda folder: trainer(folder, "1x8x1", "1x2x4", name="unseeded.py"),
    "moves": lambda folder: trainer(folder, "1x8x1", "1x2x4", name="unseeded.py", words=("--moves",)),
    "seed-by-process": lambda folder: written(
        folder, SEED_BY_PROCESS, "{b}", "{k}", "{steps}", splits=("1x8x1", "2x4x1", "1x2x4")
    ),
    "term": lambda folder: trainer(folder, name="terms.py"),
    "term-divided": lambda folder: trainer(folder, name="terms.py", words=("--divided",)),
    "hook": lambda folder: trainer(folder, name="terms.py", words=("--hook",)),
    "shards": lambda _: loop(
        "shards.py", "--shard", "fully_shard", "--fault", "undivided", splits=("1x8x1", "2x4x1", "2x2x2")
    ),
    "no-notice": lambda _: check(
        "1x8x1", "1x2x4", script=program("loop.py", "--batch", "8", "--accumulate", "1", "--count-tokens")
    ),
    "masks": lambda _: loop("masked.py"),
    "masks-of-numpy": lambda _: loop("masked.py", "--numpy"),
    "noise": lambda _: loop("denoise.py"),
    "noise-undivided": lambda _: loop("denoise.py", "--undivided"),
    "counted-right": lambda _: loop("schedules.py", "--counted", "right", splits=THREE),
    "counted-loader-before": lambda _: loop("schedules.py", "--counted", "loader-before", splits=THREE),
    "counted-micro-batches": lambda _: loop("schedules.py", "--counted", "micro-batches", splits=THREE),
}
"""What is run, in one launch, by name."""
