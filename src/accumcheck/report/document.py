"""One subject of a report, in the form that every format writes: a check, a comparison, a bisection, a self-test.

A subject is one file in `accumcheck.report.documents` with a subclass of `Document`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from accumcheck.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accumcheck.report.blocks import Block, Conclusion, Details

Outcome = Literal["passed", "failure", "error", "skipped"]
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. ``message`` is one line, ``details`` any number of lines; ``kind`` classifies a failure."""

    name: str
    outcome: Outcome = "passed"
    message: str = ""
    details: str = ""
    kind: str = ""
    seconds: float = 0.0
    output: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """The test cases of one run; ``started_at`` in ISO 8601; ``classname``: what CI systems group the cases by."""

    name: str
    classname: str
    cases: Sequence[Case]
    seconds: float
    started_at: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Annotation:
    """One message at a line of the configuration.

    Attributes:
        level: how bad it is.
        rule: its kind: a finding's id, or another name in lower case with hyphens.
        title: a few words.
        message: any number of lines.
        file: the configuration, relative to the repository's root if that is known; empty if there is none.
        line: counted from 1.
        meaning: a description of the rule, for all its messages.
        url: where the rule is described, if anywhere.
    """

    level: Level
    rule: str
    title: str
    message: str
    file: str = ""
    line: int = 0
    meaning: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a pull request.

    Attributes:
        headline: its first line: the one number that matters.
        blocks: what everybody sees.
        folded: what unfolds.
    """

    headline: str
    blocks: tuple[Block, ...] = ()
    folded: tuple[Details, ...] = ()


class Document(ABC):
    """One subject, ready to be written by every format; each format uses the parts it supports.

    Attributes:
        record: the result, as data, without secrets.
        title: the heading.
        subtitle: after the title in HTML: the configuration's file.
        text_has_title: plain text begins with the title; otherwise the first block serves as title.
    """

    record: Any
    title: str = "accumcheck"
    subtitle: str = ""
    text_has_title: bool = False

    def __init__(self, record: Any) -> None:
        self.record = redacted(record)

    def data(self) -> object:
        """The content of the JSON format, made of records or of JSON types."""
        return self.record

    @property
    @abstractmethod
    def exit_code(self) -> int:
        """The exit code of the command that shows this."""

    @abstractmethod
    def conclusion(self) -> Conclusion:
        """The verdict in words."""

    @abstractmethod
    def blocks(self) -> list[Block]:
        """The content for people, from top to bottom, without the conclusion."""

    @abstractmethod
    def suite(self) -> Suite:
        """The same as test cases. Unless the exit code is 0, at least one does not pass."""

    @abstractmethod
    def annotations(self) -> list[Annotation]:
        """The same as messages at lines. Unless the exit code is 0, at least one is an error."""

    def comment(self) -> Comment:
        """The same as a comment on a pull request, with nothing in it that differs from run to run."""
        from accumcheck.report.blocks import Details

        return Comment(self.conclusion().text, (), (Details("Details", tuple(self.blocks())),))

    def transcript(self) -> list[str] | None:
        """The lines that the command printed while it ran, used as plain text; None: plain text is made from blocks."""
        return None
