"""What leads a run: what it says when it could not be started, when a job's cores are free, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from accumcheck.config.model import CheckConfig, DataConfig, ModelConfig, SyntheticData
from accumcheck.launch import early
from accumcheck.launch.conductor import Conductor
from accumcheck.launch.fork_server import ForkServer
from accumcheck.launch.launcher import last_words, launch, why_ended
from accumcheck.launch.lifetime import Lifetime
from accumcheck.record import Split
from accumcheck.runfolder.events import EventLog, WorkerDone, WorkerStarted
from accumcheck.runfolder.layout import write_plan
from accumcheck.runfolder.place import Place, new_place
from accumcheck.runfolder.space import EXIT_NO_SPACE

CHECK = CheckConfig(
    model=ModelConfig(config={"model_type": "llama"}),
    data=DataConfig(synthetic=SyntheticData()),
    global_batch_size=2,
    splits=(Split(2, 1, 1),),
)

TRACEBACK = """Traceback (most recent call last):
  File "conductor.py", line 12, in main
    raise KeyError("script")
KeyError: 'script'

Thread 0x1 (most recent call first):
  <no Python frame>
"""


def test_the_exception_is_named_even_where_a_dump_of_threads_follows() -> None:
    assert last_words(TRACEBACK) == "KeyError: 'script'"


def test_words_without_an_exception_are_passed_on() -> None:
    assert last_words("cannot allocate memory\n\n") == "cannot allocate memory"
    assert last_words("") == "no message"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path, tmp_path / "tmp")
    found.conductor_log.write_text(TRACEBACK, encoding="utf-8")
    return found


def test_a_conductor_that_was_killed_is_named_with_the_signal(place: Place) -> None:
    assert why_ended(-15, place) == "the conductor, which leads the run, was killed by SIGTERM"


def test_what_it_said_before_it_had_a_log_counts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.conductor_log.write_bytes(b"")
    monkeypatch.setattr(early.conductor, "said", lambda: b"a library: no such device\n")
    assert why_ended(1, place) == "a library: no such device"
    assert place.conductor_log.read_bytes() == b"a library: no such device\n"


def test_one_that_failed_has_said_why_or_could_not_for_want_of_space(place: Place) -> None:
    assert why_ended(1, place) == "KeyError: 'script'"
    assert why_ended(EXIT_NO_SPACE, place).startswith("no space left on the device mounted at ")


def test_a_job_has_reported_when_all_of_its_processes_have(tmp_path: Path, place: Place) -> None:
    write_plan(tmp_path, CHECK)
    conductor, log = Conductor(tmp_path, ForkServer(), Lifetime(place)), EventLog(tmp_path)
    conductor._processes = {"2x1x1": 2, "1x2x1": 1}
    for process in (0, 1):
        log.emit(WorkerStarted("2x1x1", process, 100 + process))
        assert conductor._reported(["2x1x1", "1x2x1"]) == []
    log.emit(WorkerDone("2x1x1", 1))
    assert conductor._reported(["2x1x1", "1x2x1"]) == []
    log.emit(WorkerDone("2x1x1", 0))
    assert conductor._reported(["2x1x1", "1x2x1"]) == ["2x1x1"]
    assert conductor._reported(["1x2x1"]) == []


def test_nothing_is_left_of_a_launch_whose_parent_fails_meanwhile() -> None:
    calls = []

    def fail() -> None:
        calls.append([child.name() for child in psutil.Process().children()])
        raise RuntimeError("no judge")

    before = psutil.Process().children()
    with new_place(1) as place:
        with pytest.raises(RuntimeError, match="no judge"):
            next(launch([CHECK], place, print, meanwhile=fail))
        assert psutil.Process().children() == before
    assert len(calls) == 1
    assert calls[0]  # the conductor
    assert not place.root.exists()
