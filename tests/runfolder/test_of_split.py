"""What a split leaves besides its steps, and the views of its processes put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accumcheck.record import (
    Coordinates,
    MicroBatch,
    ProgramRecord,
    Split,
    StackBelief,
    TrainedRecord,
    TrajectoryPoint,
)
from accumcheck.runfolder.collect import collect_splits
from accumcheck.runfolder.events import Finished
from accumcheck.runfolder.of_split import (
    read_belief,
    read_program,
    read_trained,
    read_training_arguments,
    read_trajectory,
    write_belief,
    write_program,
    write_trained,
    write_training_arguments,
    write_trajectory,
)
from accumcheck.runfolder.steps import SeenStep, write_gradient, write_steps, write_unapplied

SPLIT = Split(2, 1, 2)
BATCH = {(process, turn): MicroBatch(process, (2 * turn + process,), 1.0, 0.5) for process in (0, 1) for turn in (0, 1)}


def train(run: Path) -> Path:
    folder = run / str(SPLIT)
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "stderr.log").write_text("a warning", encoding="utf-8")
    for process in (0, 1):
        fed = (BATCH[process, 0], BATCH[process, 1])
        write_gradient(folder, process, 0, np.array([1.0 + process]))
        write_steps(folder, process, [SeenStep(3.0 + process, fed, *((7.5, 3.5) if process == 0 else ()))])
    return folder


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert (read_belief(tmp_path), read_program(tmp_path)) == (None, None)
    assert (read_trajectory(tmp_path), read_training_arguments(tmp_path)) == ((), {})


def test_what_was_written_is_observed(tmp_path: Path) -> None:
    folder = train(tmp_path)
    belief, program = StackBelief("Trainer", accepts_loss_kwargs=True), ProgramRecord(("train.yaml",), "row")
    points = (TrajectoryPoint(1, 2.5, None), TrajectoryPoint(2, 2.0, 0.5))
    write_belief(folder, belief)
    write_program(folder, program)
    write_trajectory(folder, points)
    write_training_arguments(folder, {"bf16": True, "seed": 3, "optim": "sgd", "learning_rate": 0.5})
    write_unapplied(folder, 1, [MicroBatch(1, (9,))])
    write_unapplied(folder, 0, [])
    (seen,) = collect_splits(tmp_path, [SPLIT], [Finished(str(SPLIT), "ran", None, 1.5)])
    assert (seen.belief, seen.program, seen.trajectory) == (belief, program, points)
    assert seen.training_arguments == {"bf16": True, "seed": 3, "optim": "sgd", "learning_rate": 0.5}
    assert seen.unapplied == (MicroBatch(1, (9,)),)
    (step,) = seen.steps
    assert (step.step, step.loss, step.logged_grad_norm, step.grad_norms) == (1, 7.5, 3.5, {0: 3.0, 1: 4.0})
    assert step.micro_batches == (BATCH[0, 0], BATCH[0, 1], BATCH[1, 0], BATCH[1, 1])
    assert {process: entries.tolist() for process, entries in step.gradients.items()} == {0: [1.0], 1: [2.0]}
    assert (seen.status, seen.duration_seconds, seen.log) == ("ran", 1.5, str(folder / "logs"))


@pytest.mark.parametrize("entries", [[0, 2, 5], None])
def test_the_kept_entries_of_contributions_come_back_as_an_array(tmp_path: Path, entries: list[int] | None) -> None:
    made = None if entries is None else np.array(entries)
    write_trained(tmp_path, 0, TrainedRecord(Coordinates(("weight",), (6,), (0,), 6), ("weight",), made))
    found = read_trained(tmp_path, 0)
    assert found is not None
    assert (found.coordinates.names, found.lacking) == (("weight",), ("weight",))
    assert (None if found.entries is None else found.entries.tolist()) == entries
    assert "2, 5" not in (tmp_path / "trained-0.json").read_text(encoding="utf-8")  # as text it would be slow


def test_a_split_that_left_no_word_of_its_end_is_an_error(tmp_path: Path) -> None:
    train(tmp_path)
    (seen,) = collect_splits(tmp_path, [SPLIT], [])
    assert (seen.status, seen.reason) == ("error", "the run ended before this split did")


@pytest.mark.parametrize("content", ["[1, 2", '[{"grad_norm": "much"}]', None])
def test_results_that_cannot_be_read_are_an_error(tmp_path: Path, content: str | None) -> None:
    folder = train(tmp_path)
    (file,) = folder.glob("process-1.json")
    file.unlink() if content is None else file.write_text(content, encoding="utf-8")
    (seen,) = collect_splits(tmp_path, [SPLIT], [Finished(str(SPLIT), "ran", None, 1.5)])
    assert seen.status == "error"
    assert seen.reason.startswith("its results cannot be read: ")
    assert seen.steps == ()
