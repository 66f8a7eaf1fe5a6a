"""Live progress on standard error: every split's step on a terminal, otherwise an occasional line."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from accumcheck.report import numbers
from accumcheck.report.escapes import clean
from accumcheck.report.layout import STYLES
from accumcheck.report.streams import console_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import RenderableType

HEARTBEAT = 30.0
"""Seconds after which a silent run prints its state without a terminal: CI systems stop silent jobs."""
_BAR = 20
_DONE = {"ran": "green", "skipped": STYLES["skipped"], "error": STYLES["error"]}


@dataclass(slots=True)
class _Line:
    """The progress of one split, or of the reference, and how it ended."""

    label: str
    total: int
    done: int = 0
    state: str = "waiting"
    started: float = 0.0
    seconds: float = 0.0


class Progress:
    """Shows what the run is doing. Nothing is printed on standard output, and nothing at all with ``quiet``.

    On a terminal the display is redrawn by a separate thread, so that the caller may block; it is cleared when the
    context ends, also by an exception or Ctrl-C. Otherwise there is one line when something ends, and a sign of life
    every `HEARTBEAT` seconds while calls come in.
    """

    def __init__(
        self, stream: IO[str] | None = None, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet = quiet
        self._clock = clock
        self._console = console_for(sys.stderr if stream is None else stream)
        self._lines: dict[str, _Line] = {}
        self._reference = _Line("reference", 0)
        self._spinner = Spinner("dots" if self._console.encoding.startswith("utf") else "line", style="cyan")
        self._phase = ""
        self._last_printed = clock()
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=self._display,
                console=self._console,
                transient=True,
                refresh_per_second=8,
                redirect_stdout=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if self._live is not None:
            self._live.stop()
            self._live = None
        return False

    def planned(self, labels: list[str], steps: int, reference_samples: int) -> None:
        """The splits that will run, how many steps each has, and how many samples the reference computes."""
        self._lines = {label: _Line(label, steps) for label in labels}
        self._reference = _Line("reference", reference_samples)

    def message(self, text: str) -> None:
        """The phase that begins, for example ``importing torch and transformers``; shown until work is reported."""
        self._phase = clean(text.replace("\n", " "))
        self._print(self._phase)

    @property
    def redraws(self) -> bool:
        """Whether there is a display that is redrawn, so that temporary texts leave no lines behind."""
        return self._live is not None

    def line(self, text: str) -> None:
        """A line that stays; above the display, if there is one."""
        if not self._quiet:
            self._last_printed = self._clock()
            self._console.print(Text("\n".join(map(clean, text.split("\n")))), soft_wrap=True)

    def started(self, label: str) -> None:
        """A split's processes are being started."""
        line = self._line(label)
        line.state, line.started = "running", self._clock()

    def step(self, label: str, step: int) -> None:
        """A split has done ``step`` optimizer steps."""
        line = self._line(label)
        line.done, self._phase = step, ""
        self._alive(f"{label}  step {step} of {line.total}")

    def finished(self, label: str, status: str, seconds: float) -> None:
        """A split has ended; ``status`` as in the report: ``ran``, ``skipped`` or ``error``."""
        line = self._line(label)
        line.state, line.seconds, self._phase = status, seconds, ""
        width = max(len(one) for one in self._lines)
        self._print(f"{label:{width}}  {_ending(line)}")

    def reference(self, done: int, total: int) -> None:
        """The reference has done ``done`` of ``total`` samples."""
        line = self._reference
        if line.state == "waiting":
            line.state, line.started = "running", self._clock()
        line.done, line.total, self._phase = done, total, ""
        if done < total:
            self._alive(f"reference  sample {done} of {total}")
        elif line.state != "ran":
            line.state, line.seconds = "ran", self._clock() - line.started
            self._print(f"reference  {total} samples in {numbers.seconds(line.seconds)}")

    def _line(self, label: str) -> _Line:
        return self._lines.setdefault(label, _Line(label, 0))

    def _alive(self, text: str) -> None:
        if self._clock() - self._last_printed >= HEARTBEAT:
            self._print(text)

    def _print(self, text: str) -> None:
        if self._quiet or self._live is not None:
            return
        self._last_printed = self._clock()
        self._console.print(Text(text), soft_wrap=True)

    def _display(self) -> RenderableType:
        """What the terminal shows now: as many lines as fit, running ones before those that wait or have ended."""
        every = [*([self._reference] if self._reference.total else []), *list(self._lines.values())]
        room = max(1, self._console.height - 2)
        shown = every
        if len(every) > room:
            rank = {"running": 0, "error": 1, "waiting": 2}
            first = sorted(every, key=lambda line: rank.get(line.state, 3))[:room]
            shown = [line for line in every if line in first]
        width = max((len(line.label) for line in shown), default=0)
        rows: list[RenderableType] = [self._row(line, width) for line in shown]
        splits = [line for line in every if line is not self._reference]
        ended = sum(line.state in _DONE for line in splits)
        self._spinner.update(text=Text(self._phase or f"{ended} of {len(splits)} splits done", "dim"))
        rows.append(self._spinner)
        for row in rows:
            if isinstance(row, Text):
                row.no_wrap, row.overflow = True, "crop"
        return Group(*rows)

    def _row(self, line: _Line, width: int) -> Text:
        share = 1.0 if line.state == "ran" else line.done / line.total if line.total else 0.0
        filled = round(_BAR * min(1.0, share))
        full, empty = ("━", "─") if self._console.encoding.startswith("utf") else ("#", ".")
        text = Text.assemble(
            (f"{line.label:{width}}  ", "bold"),
            (full * filled, _DONE.get(line.state, "cyan")),
            (empty * (_BAR - filled), "dim"),
        )
        if line.state == "waiting":
            return text.append("  waiting", "dim")
        if line.state != "running":
            return text.append(f"  {_ending(line)}", _DONE.get(line.state, ""))
        spent = numbers.seconds(self._clock() - line.started)
        return text.append(f"  {line.done} of {line.total}").append(f"  {spent}", "dim")


def _ending(line: _Line) -> str:
    if line.state == "skipped":
        return "skipped"
    return f"{'ran in' if line.state == 'ran' else f'{line.state} after'} {numbers.seconds(line.seconds)}"
