"""When workers are killed; times are made up."""

from __future__ import annotations

import os
import subprocess
import sys

from accumcheck.launch.vigil import FAREWELL_SECONDS, GRACE_SECONDS, Vigil, Workers
from accumcheck.runfolder.events import WorkerDone, WorkerStarted

HERE = os.getpid()


def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_workers_say_adds_up() -> None:
    known = Workers().after(WorkerStarted("2x2x2", 1, 70)).after(WorkerStarted("2x2x2", 0, 71))
    assert known.after(WorkerDone("2x2x2", 1)) == Workers({1: 70, 0: 71}, frozenset({1}))


def test_a_job_that_trains_is_left_alone_until_its_time_is_over() -> None:
    vigil = Vigil(processes=2, deadline=100.0)
    workers = Workers({0: HERE, 1: HERE})
    assert not vigil.is_over(99.0, workers, failed=False)
    assert not vigil.expired
    assert vigil.is_over(101.0, workers, failed=False)
    assert vigil.expired


def test_the_others_of_a_worker_that_failed_have_a_moment_to_end() -> None:
    vigil = Vigil(processes=2, deadline=100.0)
    workers = Workers({0: HERE, 1: HERE})
    assert not vigil.is_over(10.0, workers, failed=True)
    assert not vigil.is_over(10.0 + GRACE_SECONDS, workers, failed=True)
    assert vigil.is_over(10.1 + GRACE_SECONDS, workers, failed=True)
    assert not vigil.expired


def test_so_have_those_of_a_worker_that_died_without_a_word() -> None:
    vigil = Vigil(processes=2, deadline=100.0)
    workers = Workers({0: HERE, 1: gone()})
    assert not vigil.is_over(10.0, workers, failed=False)
    assert vigil.is_over(10.1 + GRACE_SECONDS, workers, failed=False)


def test_so_has_a_job_whose_only_worker_is_gone() -> None:
    """The agent does not return if that worker ended with exit code 0."""
    vigil = Vigil(processes=1, deadline=100.0)
    workers = Workers({0: gone()})
    assert not vigil.is_over(10.0, workers, failed=False)
    assert vigil.is_over(10.1 + GRACE_SECONDS, workers, failed=False)
    assert not vigil.expired


def test_a_worker_that_has_said_all_and_gone_leaves_the_others_their_time() -> None:
    vigil = Vigil(processes=2, deadline=100.0)
    workers = Workers({0: HERE, 1: gone()}, frozenset({1}))
    assert not vigil.is_over(10.0, workers, failed=False)
    assert not vigil.is_over(10.1 + GRACE_SECONDS, workers, failed=False)


def test_a_worker_that_has_said_all_and_gone_is_no_trouble_once_all_have() -> None:
    vigil = Vigil(processes=2, deadline=100.0)
    workers = Workers({0: HERE, 1: gone()}, frozenset({0, 1}))
    assert not vigil.is_over(10.0, workers, failed=False)
    assert not vigil.is_over(10.0 + FAREWELL_SECONDS, workers, failed=False)
    assert vigil.is_over(10.1 + FAREWELL_SECONDS, workers, failed=False)  # one of them does not end
    assert (vigil.said_all, vigil.expired) == (10.0, False)


def test_what_was_said_in_time_counts_after_it() -> None:
    vigil = Vigil(processes=1, deadline=100.0)
    assert not vigil.is_over(101.0, Workers({0: HERE}, frozenset({0})), failed=False)
    assert not vigil.expired
