"""What the parent says when a run could not be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.launch import early
from accumcheck.launch.launcher import last_words, why_ended
from accumcheck.runfolder.place import Place
from accumcheck.runfolder.space import EXIT_NO_SPACE

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
