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
    code: int
    said: str
    told: list[dict[str, Any]]

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.said.splitlines() if "accumcheck.Guard:" in line]


def train(folder: Path, *words: str, processes: int = 1) -> Trained:
    folder.mkdir(exist_ok=True)
    launch = TORCHRUN if processes == 2 else []
    done = subprocess.run(
        [sys.executable, *launch, str(PROGRAM), str(folder), *words],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    told = [json.loads(path.read_text()) for path in sorted(folder.glob("[0-9].json"))]
    return Trained(done.returncode, done.stdout + done.stderr, told)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_healthy_run_with_dropout_is_silent_and_ends_as_it_would_without(tmp_path: Path, processes: int) -> None:
    guarded = train(tmp_path / "guarded", "dropout", processes=processes)
    alone = train(tmp_path / "alone", "dropout", "unguarded", processes=processes)
    assert (guarded.code, guarded.warnings) == (0, []), guarded.said
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
    tmp_path: Path, processes: int, rule: str, right: str
) -> None:
    trained = train(tmp_path, "faulty", "dropout", processes=processes)
    assert trained.code == 0, trained.said
    (warning,) = trained.warnings  # steps 1, 2 and 4 are checked, in every process
    assert f"step 1, {right}: predicted tokens entered the gradient with" in warning
    assert f"\n  {rule}: the sum over the accumulation steps is never divided by their number k" in trained.said
    assert "The model ignores it: its loss does not change when the count doubles" in trained.said
    assert "accumcheck hotfix show token-mean prints it" in trained.said


def test_a_faulty_run_of_two_processes_is_stopped_at_its_first_step(tmp_path: Path) -> None:
    stopped = train(tmp_path, "faulty", "stop", processes=2)
    assert stopped.code != 0
    assert "GuardError: step 1, 2x2x4: predicted tokens entered the gradient with" in stopped.said
    assert stopped.told == []


def test_a_mean_of_means_is_seen_though_its_log_looks_right(tmp_path: Path) -> None:
    trained = train(tmp_path, "mean-of-means")
    assert "\n  microbatch-mean: each micro-batch is averaged over its own tokens" in trained.said
    assert len(trained.warnings) == 1


def test_the_hot_fix_that_is_pasted_makes_the_guard_silent(tmp_path: Path) -> None:
    trained = train(tmp_path, "faulty", "hotfix", processes=2)
    assert (trained.code, trained.warnings) == (0, []), trained.said


def test_a_loss_that_is_not_the_models_own_is_said_to_be_unseen(tmp_path: Path) -> None:
    trained = train(tmp_path, "smoothing")
    (warning,) = trained.warnings
    assert "is not the model's own" in warning


def test_processes_that_apply_different_gradients_are_told(tmp_path: Path) -> None:
    trained = train(tmp_path, "unsynchronised", processes=2)
    assert "processes apply different gradients" in trained.warnings[0]
