"""Progress: sparse lines in a log, a display that goes away on a terminal, silence when asked."""

from __future__ import annotations

import io
import os
import pty
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from accumcheck.report.progress import HEARTBEAT, Progress


class Clock:
    """A clock that moves only when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _run(progress: Progress, clock: Clock) -> None:
    with progress:
        progress.message("importing torch and transformers")
        progress.planned(["1x128x1", "4x16x2", "8x1x16"], 3, 128)
        for done in (1, 64, 128):
            progress.reference(done, 128)
            clock.now += 2
        progress.started("1x128x1")
        progress.step("1x128x1", 1)
        progress.finished("1x128x1", "ran", 3.21)
        progress.started("4x16x2")
        progress.finished("4x16x2", "error", 12.0)
        progress.finished("8x1x16", "skipped", 0.0)


def test_a_log_has_one_line_where_something_ends() -> None:
    stream, clock = io.StringIO(), Clock()
    _run(Progress(stream, clock=clock), clock)
    assert stream.getvalue() == (
        "importing torch and transformers\n"
        "reference  128 samples in 4.0 s\n"
        "1x128x1  ran in 3.2 s\n"
        "4x16x2   error after 12 s\n"
        "8x1x16   skipped\n"
    )


def test_a_line_that_stays_is_printed_unless_silence_was_asked_for() -> None:
    for quiet, expected in ((False, "4.49.0    bad\n"), (True, "")):
        stream = io.StringIO()
        with Progress(stream, quiet=quiet) as progress:
            assert not progress.redraws
            progress.line("\x1b[2J4.49.0    bad")
        assert stream.getvalue() == expected


def test_a_log_has_a_sign_of_life_when_nothing_ends() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock=clock) as progress:
        progress.planned(["4x16x2"], 100, 8)
        progress.started("4x16x2")
        for step in range(1, 101):
            clock.now += HEARTBEAT / 40
            progress.step("4x16x2", step)
        clock.now += HEARTBEAT
        progress.reference(3, 8)
    assert stream.getvalue() == "4x16x2  step 40 of 100\n4x16x2  step 80 of 100\nreference  sample 3 of 8\n"


def test_quiet_prints_nothing() -> None:
    stream, clock = io.StringIO(), Clock()
    _run(Progress(stream, quiet=True, clock=clock), clock)
    assert stream.getvalue() == ""


def test_text_from_elsewhere_is_no_markup() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.message("loading [red]x[/red]\x1b[2J")
    assert stream.getvalue() == "loading [red]x[/red]\n"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A stream that is a terminal of 80 by 24, and a function that says all that was written to it."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    leader, follower = pty.openpty()
    received: list[bytes] = []

    def read() -> None:
        try:
            while chunk := os.read(leader, 65536):
                received.append(chunk)
        except OSError:
            pass  # the other end was closed

    reader = threading.Thread(target=read)
    reader.start()
    stream = os.fdopen(follower, "w", encoding="utf-8")

    def written() -> str:
        stream.close()
        reader.join(5)
        return b"".join(received).decode()

    yield stream, written
    if not stream.closed:
        stream.close()
    reader.join(5)
    os.close(leader)


def test_a_terminal_shows_each_split_and_is_cleared(terminal: Any) -> None:
    stream, written = terminal
    with Progress(stream) as progress:
        progress.message("importing torch")
        assert progress._live is not None
        progress._live.refresh()
        progress.planned(["1x128x1", "4x16x2"], 3, 128)
        progress.started("1x128x1")
        progress.step("1x128x1", 2)
        assert progress._live is not None
        progress._live.refresh()
    text = written()
    assert "1x128x1" in text
    assert "  2 of 3" in text
    assert "  waiting" in text
    assert "0 of 2 splits done" in text
    assert "importing torch" in text
    assert "importing torch" not in text[text.index("  2 of 3") :]
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor was hidden, and is back
    assert text.rstrip().endswith("\x1b[2K")  # the last thing done is to clear a line


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_display_ends_with_an_exception_and_its_thread_too(terminal: Any, error: type[BaseException]) -> None:
    stream, written = terminal
    before = threading.active_count()
    with pytest.raises(error), Progress(stream):
        raise error
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before
    assert "\x1b[?25h" in written()


def test_more_splits_than_lines_shows_those_that_run(terminal: Any) -> None:
    stream, written = terminal
    labels = [f"1x1x{k}" for k in range(1, 101)]
    with Progress(stream) as progress:
        progress.planned(labels, 3, 0)
        for label in labels[:50]:
            progress.finished(label, "ran", 1.0)
        progress.started("1x1x90")
        assert progress._live is not None
        display: Any = progress._display()
        shown = [str(getattr(row, "text", row)) for row in display.renderables]
        progress._live.refresh()
    assert len(shown) <= 23
    assert any(row.startswith("1x1x90") for row in shown)
    assert not any(row.startswith("1x1x1 ") for row in shown)
    assert shown[-1] == "50 of 100 splits done"
    assert "…" not in written()


def test_a_dumb_terminal_gets_lines(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, written = terminal
    monkeypatch.setenv("TERM", "dumb")
    with Progress(stream) as progress:
        progress.message("running the splits")
    assert written() == "running the splits\r\n"


def test_no_color_leaves_no_colour_codes(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, written = terminal
    monkeypatch.setenv("NO_COLOR", "1")
    with Progress(stream) as progress:
        progress.planned(["1x128x1"], 3, 128)
        assert progress._live is not None
        progress._live.refresh()
    text = written()
    assert "1x128x1" in text
    assert "m" not in {code[-1] for code in re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]", text)}
