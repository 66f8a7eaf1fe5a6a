"""Whether a program mixes its rows: from what the control, the witness and one more run have written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import MicroBatch, Split
from accumcheck.record.outputs import OutputRows
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import REFERENCE
from accumcheck.runfolder.steps import SeenStep, write_contributions, write_outputs, write_steps
from accumcheck.work.mixing import steps_of, unmixed_in_control, with_other_neighbours

CONTROL, B = Split(1, 4, 1), 4
CHECK = CheckConfig(
    model=ModelConfig(config={"model_type": "llama"}),
    global_batch_size=B,
    steps=1,
    splits=(CONTROL, Split(1, 1, 4), Split(2, 1, 2)),
)
DRAW = np.random.default_rng(0)
GRADIENTS = DRAW.normal(size=(B, 50))
VALUES, RIGHT, OTHER = (DRAW.normal(size=(B, 1, 6)) for _ in range(3))


def write(
    folder: Path,
    gradients: np.ndarray,
    fed: Sequence[Sequence[Sequence[int]]],
    process: int = 0,
    *,
    linear: bool = True,
) -> None:
    """A process that was fed these micro-batches in each step."""
    folder.mkdir(parents=True, exist_ok=True)
    steps = [SeenStep(1.0, tuple(MicroBatch(process, tuple(batch)) for batch in step)) for step in fed]
    write_steps(folder, process, steps)
    for at, step in enumerate(fed):
        rows = [row for batch in step for row in batch]
        batches = np.repeat(np.arange(len(step)), [len(batch) for batch in step])
        added = np.stack([GRADIENTS[list(batch)].sum(axis=0) for batch in step])
        write_contributions(folder, process, at, added if linear else added + batches.mean() + added**2)
        write_outputs(folder, process, at, OutputRows(("output",), (6,), batches, gradients[rows], VALUES[rows]))


def seen(run: Path, again: np.ndarray | None = None, check: CheckConfig = CHECK) -> tuple[str | None, list[Split]]:
    """The answer, and under which splits the program was run again; there it gives these derivatives."""
    asked: list[Split] = []
    job = Job(REFERENCE, 1, run / REFERENCE, check, "cpu", "gloo", membership=(tuple(range(B)),))

    def run_again(split: Split) -> bool:
        asked.append(split)
        if again is not None:
            b = split.per_device_train_batch_size
            write(job.folder / str(split), again, [[range(at, at + b)] for at in range(0, B, b)])
        return again is not None

    return unmixed_in_control(job, check, "float32", {}, run_again), asked


def test_one_row_at_a_time_shows_it_if_only_weights_differ(tmp_path: Path) -> None:
    write(tmp_path / "1x4x1", 3 * RIGHT, [[range(B)]])
    write(tmp_path / REFERENCE, RIGHT, [[[row] for row in range(B)]])
    assert seen(tmp_path) == ("row", [])


def test_otherwise_the_program_is_run_again_with_the_controls_k(tmp_path: Path) -> None:
    write(tmp_path / "1x4x1", RIGHT, [[range(B)]])
    write(tmp_path / REFERENCE, OTHER, [[[row] for row in range(B)]])
    assert seen(tmp_path, 2 * RIGHT) == ("targets", [Split(1, 2, 1)])
    assert seen(tmp_path, None) == (None, [Split(1, 2, 1)])


def test_rows_that_change_with_their_neighbours_are_mixed(tmp_path: Path) -> None:
    write(tmp_path / "1x4x1", RIGHT, [[range(B)]])
    write(tmp_path / REFERENCE, OTHER, [[[row] for row in range(B)]])
    assert seen(tmp_path, RIGHT + 0.1 * OTHER) == (None, [Split(1, 2, 1)])


def test_a_loss_that_reaches_the_model_elsewhere_is_not_seen_at_its_outputs(tmp_path: Path) -> None:
    write(tmp_path / "1x4x1", RIGHT, [[range(B)]], linear=False)
    write(tmp_path / REFERENCE, OTHER, [[[row] for row in range(B)]])
    assert seen(tmp_path, 2 * RIGHT) == (None, [Split(1, 2, 1)])


def test_a_control_with_several_processes_is_compared_in_the_order_drawn(tmp_path: Path) -> None:
    check = replace(CHECK, splits=(Split(2, 2, 1), Split(1, 1, 4)))
    write(tmp_path / "2x2x1", RIGHT, [[[0, 1]]], process=0)
    write(tmp_path / "2x2x1", RIGHT, [[[2, 3]]], process=1)
    write(tmp_path / REFERENCE, RIGHT, [[[row] for row in range(B)]])
    assert seen(tmp_path, check=check) == ("row", [])


def test_nothing_is_known_without_the_controls_outputs(tmp_path: Path) -> None:
    write(tmp_path / REFERENCE, RIGHT, [[[row] for row in range(B)]])
    assert seen(tmp_path, RIGHT) == (None, [])


def test_the_other_run_has_the_controls_k_and_other_neighbours() -> None:
    assert with_other_neighbours(Split(1, 8, 2)) == Split(1, 4, 2)
    assert with_other_neighbours(Split(1, 5, 1)) == Split(1, 2, 1)
    assert with_other_neighbours(Split(4, 2, 1)) == Split(1, 2, 1)
    assert with_other_neighbours(Split(1, 1, 8)) is None
    assert steps_of(Split(1, 2, 1), replace(CHECK, global_batch_size=5)) == 3
