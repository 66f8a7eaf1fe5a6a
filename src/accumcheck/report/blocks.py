"""The blocks of a document: a format turns each of them into text, or leaves it out.

Nothing is laid out or escaped here: texts from logs and models are unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.report.parts.curves import Chart
    from accumcheck.report.parts.weights_picture import Picture

WORDS = {"pass": "pass", "warn": "WARN", "fail": "FAIL", "error": "ERROR", "skipped": "skipped", "ignore": "note"}
"""A verdict or a severity in one word; what needs attention also stands out without colour."""


class Cell(NamedTuple):
    """The text in one row of one column, and its tone: a verdict, a severity, a tone of `STYLES`, or empty for plain.

    For `STYLES` see `accumcheck.report.layout`.
    """

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        header: its two header lines in plain text.
        align: how its texts are aligned.
        gap: the spaces before it in plain text.
        leave_out: which columns may be dropped if a terminal is too narrow: 1 first, 0 never.
        title: the header on one line, if the two lines are not clear enough.
        wraps: its texts may be long; HTML breaks them into lines.
        drawn: its texts are drawn with block characters; only shown by terminals that have these.
    """

    header: tuple[str, str]
    align: Literal["left", "right"] = "right"
    gap: int = 2
    leave_out: int = 0
    title: str = ""
    wraps: bool = False
    drawn: bool = False

    @property
    def name(self) -> str:
        """The header on one line, different for every column of a table."""
        return self.title or " ".join(self.header).strip()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells.

    Attributes:
        columns: one per cell of a row.
        rows: the cells.
        foot: a special last row.
        caption: what the table shows, for screen readers.
        lead: the sentence above it, if no heading says the same.
        legend: what its columns mean.
        searched: what a reader types to find rows, such as ``parameter``; empty: the table is short. A page that can
            be searched gets a box for it.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Cell] | None = None
    caption: str = ""
    lead: str = ""
    legend: str = ""
    searched: str = ""

    def without_drawings(self) -> Table:
        """The table without columns that only a terminal can draw."""
        keep = [index for index, column in enumerate(self.columns) if not column.drawn]
        return replace(
            self,
            columns=tuple(self.columns[index] for index in keep),
            rows=[[row[index] for index in keep] for row in self.rows],
        )


@dataclass(frozen=True, slots=True)
class Sentence:
    """One paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Head:
    """What was checked, and lines of short facts about it: versions, devices, sizes."""

    model: str
    lines: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value; ``is_address``: the value is a URL made by accumcheck."""

    label: str
    text: str
    is_address: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of labels and values."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A matching published fault: its title, its address (may be empty), and what else is known about it."""

    title: str
    url: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Note:
    """One message about some splits, or about the run as a whole if ``splits`` is empty.

    Attributes:
        tone: a verdict or a severity.
        labels: the splits, shortened if there are many.
        text: what is wrong, and how much.
        paragraphs: the cause and the consequence.
        advice: what to do.
        source: the line of code, ``file:line``.
        known: published faults that match.
        logs: log files.
        excerpt: the last lines of a traceback, unchanged.
        id: a finding's id, or the kind of reason for which splits did not run.
        splits: all splits concerned.
        expected: why this failure is expected; empty: it is not.
    """

    tone: str
    labels: str
    text: str
    paragraphs: tuple[str, ...] = ()
    advice: str = ""
    source: str = ""
    known: tuple[Known, ...] = ()
    logs: tuple[str, ...] = ()
    excerpt: tuple[str, ...] = ()
    id: str = ""
    splits: tuple[str, ...] = ()
    expected: str = ""

    @property
    def headline(self) -> str:
        """The splits concerned, and the text."""
        return f"{self.labels}: {self.text}" if self.labels else self.text


@dataclass(frozen=True, slots=True)
class Notes:
    """Findings; ``together``: short ones, listed in plain text without blank lines between them."""

    notes: tuple[Note, ...]
    together: bool = False


@dataclass(frozen=True, slots=True)
class Charts:
    """Curves over the steps, and how to read them."""

    charts: tuple[Chart, ...]
    legend: str


@dataclass(frozen=True, slots=True)
class Strips:
    """The weight of every sample, one strip per split, and how to read it."""

    picture: Picture
    legend: str


@dataclass(frozen=True, slots=True)
class Code:
    """Preformatted text, and what it is."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Details:
    """Blocks that unfold on a click; only in HTML."""

    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict in words.

    Attributes:
        tone: a verdict, for its colour.
        word: the verdict in a word or two.
        text: what it means here.
        exit: the exit code with its meaning.
        wraps: plain text breaks it into lines; otherwise it is a single line that scripts can read.
    """

    tone: str
    word: str
    text: str
    exit: str
    wraps: bool = False

    def __str__(self) -> str:
        return f"{self.word}: {self.text} ({self.exit})"


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading.

    Attributes:
        title: the heading.
        blocks: its content; a section without blocks is not shown.
        role: where the heading is shown. ``topic``: in HTML and Markdown. ``part``, one of several of a kind: in
            plain text as well. ``whole``, the main content of its document: only in HTML.
        conclusion: the verdict on this part, if there are several.
        background: only shown in HTML.
    """

    title: str
    blocks: tuple[Block, ...]
    role: Literal["topic", "part", "whole"] = "topic"
    conclusion: Conclusion | None = None
    background: bool = False


Block = Table | Sentence | Head | Facts | Notes | Charts | Strips | Code | Details | Section
"""Everything that a document can contain."""
