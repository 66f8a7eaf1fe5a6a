"""What a survey's server says while it runs."""

from __future__ import annotations

from pathlib import Path

from accumcheck.survey.wire import ClassEnded, NewsFollower, tell


def test_a_line_that_was_cut_short_costs_itself_alone(tmp_path: Path) -> None:
    follower = NewsFollower(tmp_path)
    tell(tmp_path, ClassEnded(0, 1.5, None))
    (path,) = tmp_path.iterdir()
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"news": "ended", "num\n[]\n{}\n')
    tell(tmp_path, ClassEnded(1, 2.5, None))
    assert list(follower.new()) == [ClassEnded(0, 1.5, None), ClassEnded(1, 2.5, None)]
