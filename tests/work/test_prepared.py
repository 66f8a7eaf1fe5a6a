"""The workload that the fork server makes for its workers."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from accumcheck.config.model import CheckConfig, DataConfig, LauncherConfig, ModelConfig, SyntheticData
from accumcheck.record import Split
from accumcheck.runfolder.job import Job
from accumcheck.work import prepared as module
from accumcheck.work.prepared import may_be_prepared, prepare, prepared
from accumcheck.workload.assemble import build_workload

CHECK = CheckConfig(
    model=ModelConfig(config={"model_type": "llama"}, shrink=True),
    data=DataConfig(synthetic=SyntheticData(min_length=4, max_length=8)),
    global_batch_size=2,
    steps=1,
    splits=(Split(1, 2, 1),),
    launcher=LauncherConfig(device="cpu"),
)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(module, "_prepared", [])
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def job(check: CheckConfig, device: str = "cpu") -> Job:
    return Job("1x2x1", 1, Path("run") / "1x2x1", check, device, "gloo")


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def same_state() -> None:
    """A worker begins with the states of the process that forked it; making the workload may change them or not."""
    np.random.seed(3)
    torch.manual_seed(3)


def test_it_is_what_a_worker_would_make_with_the_same_random_numbers_after_it(tmp_path: Path) -> None:
    same_state()
    prepare(CHECK, tmp_path)
    drawn()  # what this process draws before a worker is forked
    found = prepared(job(CHECK))
    after = drawn()
    assert found is not None

    module.compute_alike()
    same_state()
    own = build_workload(CHECK, "cpu")
    assert after[1:] == drawn()[1:]  # Python's generator may have any state before
    weights, due = found.model.state_dict(), own.model.state_dict()
    assert list(weights) == list(due)
    assert all(torch.equal(weights[name], due[name]) for name in due)
    assert len(found.samples) == len(own.samples) == CHECK.sample_count
    for one, other in zip(found.samples, own.samples, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in other)


def test_every_worker_has_the_same_state_of_pythons_generator(tmp_path: Path) -> None:
    prepare(CHECK, tmp_path)
    prepared(job(CHECK))
    first = drawn()
    random.seed()  # as every fork does
    prepared(job(CHECK))
    assert drawn() == first


@pytest.mark.parametrize(
    "asked",
    [
        job(replace(CHECK, seed=1)),
        job(replace(CHECK, steps=2)),
        job(CHECK, device="cuda"),
    ],
)
def test_a_job_of_another_check_or_device_makes_its_own(asked: Job, tmp_path: Path) -> None:
    prepare(CHECK, tmp_path)
    assert prepared(asked) is None


@pytest.mark.parametrize(
    "check",
    [
        replace(CHECK, model=ModelConfig(config={"model_type": "llama"})),  # of a given size
        replace(CHECK, model=ModelConfig(name_or_path="./model", shrink=True)),
        replace(CHECK, model=replace(CHECK.model, trust_remote_code=True)),
        replace(CHECK, stack="script"),
        replace(CHECK, launcher=LauncherConfig(device="cuda")),
    ],
)
def test_workers_make_what_is_large_or_from_elsewhere(check: CheckConfig, tmp_path: Path) -> None:
    assert not may_be_prepared(check)
    prepare(check, tmp_path)
    assert prepared(job(check)) is None


def test_workers_find_samples_by_an_index_that_is_made_once(tmp_path: Path) -> None:
    prepare(CHECK, tmp_path)
    found = prepared(job(CHECK))
    assert found is not None
    assert "index" in vars(found)
    batch = found.collator([found.samples[1], found.samples[0]])
    assert found.index.find(batch) == (1, 0)


def test_no_pool_of_threads_is_started_before_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    assert may_be_prepared(CHECK)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert not may_be_prepared(CHECK)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not may_be_prepared(CHECK)


def test_after_a_fork_server_that_began_and_died_workers_make_their_own(tmp_path: Path) -> None:
    prepare(CHECK, tmp_path)
    assert prepared(job(CHECK)) is not None
    prepare(CHECK, tmp_path)  # the next server, in the same run
    assert prepared(job(CHECK)) is None
