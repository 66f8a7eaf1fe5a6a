"""The event log: what is appended is read by whoever follows, in order, whole lines only."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from accumcheck.record import Environment, Reason, Split
from accumcheck.runfolder.events import (
    Ended,
    Event,
    EventFollower,
    EventLog,
    Finished,
    Planned,
    ReferenceProgress,
    Started,
    StepDone,
    WorkerDone,
    WorkerStarted,
    decode_event,
    encode_event,
)

EVENTS: list[Event] = [
    Planned((Split(1, 4, 1), Split(2, 2, 1)), Split(1, 4, 1), Environment(python="3.11", device_count=2)),
    Started("1x4x1"),
    WorkerStarted("1x4x1", 0, 4711),
    StepDone("1x4x1", 2),
    ReferenceProgress(8, 12),
    Finished("2x2x1", "skipped", Reason("not-enough-devices", "needs 2 GPUs, 1 present"), 0.0),
    WorkerDone("1x4x1", 0),
    Ended(),
]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_one_line_and_comes_back(event: Event) -> None:
    line = encode_event(event)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert decode_event(line) == event


def test_the_line_says_which_event_it_is() -> None:
    assert encode_event(StepDone("1x4x1", 2)) == '{"event": "step", "job": "1x4x1", "step": 2}\n'


def test_a_line_that_is_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="not an event"):
        decode_event('{"event": "rain"}\n')


def test_a_follower_reads_each_event_once_and_no_half_of_a_line(tmp_path: Path) -> None:
    follower = EventFollower(tmp_path)
    assert list(follower.new()) == []  # there is no file yet
    log = EventLog(tmp_path)
    log.emit(EVENTS[1])
    log.emit(EVENTS[2])
    assert list(follower.new()) == EVENTS[1:3]
    assert list(follower.new()) == []
    (file,) = tmp_path.iterdir()
    line = encode_event(EVENTS[3])
    with file.open("a", encoding="utf-8") as stream:
        stream.write(line[:20])
    assert list(follower.new()) == []
    with file.open("a", encoding="utf-8") as stream:
        stream.write(line[20:])
    assert list(follower.new()) == [EVENTS[3]]


def test_lines_of_several_writers_do_not_mix(tmp_path: Path) -> None:
    def write(process: int) -> None:
        for step in range(200):
            EventLog(tmp_path).emit(StepDone(f"{process}" * 50, step))

    writers = [threading.Thread(target=write, args=(process,)) for process in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = list(EventFollower(tmp_path).new())
    assert len(found) == 800
    assert {(event.job[0], event.step) for event in found if isinstance(event, StepDone)} == {
        (str(process), step) for process in range(4) for step in range(200)
    }
