"""A Guard in a real training: silent where all is right, told once or stopped where not, and otherwise not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

PROGRAM = Path(__file__).with_name("program.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@dataclass(frozen=True)
class Trained:
    """What one training said, and what each process of it told at its end."""

    said: str
    told: list[dict[str, Any]]

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.said.splitlines() if "accumcheck.Guard:" in line]


def train(folder: Path, *names: str, processes: int = 1) -> tuple[int, dict[str, Trained]]:
    """The exit code of a program with these trainings, and each of them by its name."""
    launch = TORCHRUN if processes == 2 else []
    done = subprocess.run(
        [sys.executable, *launch, str(PROGRAM), str(folder), *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    said = dict(part.split("\n", 1) for part in f"\n{done.stdout}".split("\n== ")[1:])
    files = {name: sorted(folder.glob(f"{name}-[0-9].json")) for name in names}
    return done.returncode, {
        name: Trained(said.get(name, done.stdout), [json.loads(path.read_text()) for path in files[name]])
        for name in names
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Trained]]:
    """By the number of processes, trainings by their words; the last of two processes is stopped."""
    both = ("dropout", "dropout,unguarded", "faulty,dropout")
    found = {}
    for processes, others, stopped in (
        (1, ("mean-of-means", "smoothing", "schedule-k", "steps-k"), ()),
        (2, ("faulty,hotfix", "unsynchronised", "schedule-n", "schedule-n,longer", "undivided"), ("faulty,stop",)),
    ):
        names = (*both, *others, *stopped)
        code, found[processes] = train(tmp_path_factory.mktemp("guarded"), *names, processes=processes)
        assert (code != 0) == bool(stopped), [one.said for one in found[processes].values()]
    return found


@pytest.mark.parametrize("processes", [1, 2])
def test_a_healthy_run_with_dropout_is_silent_and_ends_as_it_would_without(
    trained: dict[int, dict[str, Trained]], processes: int
) -> None:
    guarded, alone = trained[processes]["dropout"], trained[processes]["dropout,unguarded"]
    assert guarded.warnings == [], guarded.said
    assert len(guarded.told) == processes
    for mine, other in zip(guarded.told, alone.told, strict=True):
        assert (mine["weights"], mine["random"]) == (other["weights"], other["random"])
    # steps 1 and 2 are logged for the guard's sake, step 3 by logging_steps
    assert len(guarded.told[0]["losses"]) == 3
    assert len(alone.told[0]["losses"]) == 1


@pytest.mark.parametrize(
    ("processes", "rule", "right"),
    [(1, "microbatch-mean*k", "1x2x4"), (2, "microbatch-mean*k*n", "2x2x4")],
)
def test_a_model_that_ignores_the_count_is_told_once_with_rule_cause_and_cure(
    trained: dict[int, dict[str, Trained]], processes: int, rule: str, right: str
) -> None:
    faulty = trained[processes]["faulty,dropout"]
    (warning,) = faulty.warnings  # steps 1, 2 and 4 are checked, in every process
    assert f"step 1, {right}: predicted tokens entered the gradient with" in warning
    assert f"\n  {rule}: the sum over the accumulation steps is never divided by their number k" in faulty.said
    assert "The model ignores it: its loss does not change when the count doubles" in faulty.said
    assert "accumcheck hotfix show token-mean prints it" in faulty.said


def test_a_faulty_run_of_two_processes_is_stopped_at_its_first_step(trained: dict[int, dict[str, Trained]]) -> None:
    *before, stopped = trained[2].values()
    assert "GuardError: step 1, 2x2x4: predicted tokens entered the gradient with" in stopped.said
    assert stopped.told == []
    assert all(len(one.told) == 2 for one in before)


def test_a_mean_of_means_is_seen_though_its_log_looks_right(trained: dict[int, dict[str, Trained]]) -> None:
    found = trained[1]["mean-of-means"]
    assert "\n  microbatch-mean: each micro-batch is averaged over its own tokens" in found.said
    assert len(found.warnings) == 1


def test_the_hot_fix_that_is_pasted_makes_the_guard_silent(trained: dict[int, dict[str, Trained]]) -> None:
    found = trained[2]["faulty,hotfix"]
    assert len(found.told) == 2
    assert found.warnings == [], found.said


def test_a_loss_that_is_not_the_models_own_is_said_to_be_unseen(trained: dict[int, dict[str, Trained]]) -> None:
    (warning,) = trained[1]["smoothing"].warnings
    assert "is not the model's own" in warning


def test_processes_that_apply_different_gradients_are_told(trained: dict[int, dict[str, Trained]]) -> None:
    assert "processes apply different gradients" in trained[2]["unsynchronised"].warnings[0]


@pytest.mark.parametrize(
    ("processes", "words", "said"),
    [
        # 3 micro-batches of 4 by the callback, and one step by Trainer; in a training of 4 steps
        (
            1,
            "schedule-k",
            "schedule-times-k, 1x2x4: LambdaLR is stepped 4 times for each optimizer step and made for 4 steps, in a "
            "training of 4 optimizer steps: it runs 4 times as fast as in one process without accumulation",
        ),
        (
            2,
            "schedule-n",
            "schedule-times-n, 2x2x4: LambdaLR is stepped 2 times for each optimizer step and made for 4 steps, in a "
            "training of 4 optimizer steps: it runs 2 times as fast as in one process without accumulation",
        ),
        (1, "steps-k", "step-per-microbatch, 1x2x4: the optimizer stepped 4 times in what Trainer counts as one step"),
        # 64 rows: 2 * 4 * 2 of them make an update, 2 * 4 where no process leaves any to the other
        (
            2,
            "undivided",
            "steps-differ, 2x2x4: an epoch of 64 samples makes 8 updates of 16 samples each; in one process it makes "
            "4: 2 times as many",
        ),
    ],
)
def test_steps_and_schedules_that_are_not_those_of_one_process_are_told_once(
    trained: dict[int, dict[str, Trained]], processes: int, words: str, said: str
) -> None:
    found = trained[processes][words]
    (warning,) = found.warnings  # steps 1, 2 and 4 are checked
    assert warning.endswith(f"accumcheck.Guard: {said}"), found.said


def test_a_schedule_that_is_made_as_much_longer_as_it_is_stepped_more_often_is_right(
    trained: dict[int, dict[str, Trained]],
) -> None:
    found = trained[2]["schedule-n,longer"]
    assert len(found.told) == 2
    assert found.warnings == [], found.said
