"""A copy of a process that runs a program once more, if it is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.record import Split
from accumcheck.work.second_run import second_run

SPLIT = Split(1, 4, 2)


def test_the_copy_runs_what_it_is_asked_for_as_the_process_was_before(tmp_path: Path) -> None:
    state = ["before"]

    def run(split: Split) -> None:
        (tmp_path / str(split)).write_text(state[0])

    with second_run(run) as again:
        state[0] = "changed by the first run"
        assert again(SPLIT)
        assert not again(SPLIT)  # it has ended
    assert (tmp_path / "1x4x2").read_text() == "before"


def test_a_copy_that_is_not_asked_does_nothing(tmp_path: Path) -> None:
    with second_run(lambda split: (tmp_path / str(split)).touch()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_breaks_is_not_done_and_its_traceback_is_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    def run(_: Split) -> None:
        raise SystemExit("the data set is too short")

    with second_run(run) as again:
        assert not again(SPLIT)
    assert "the data set is too short" in capfd.readouterr().err
