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

    from accumcheck.report.blocks import Block, Conclusion

Outcome = Literal["passed", "failure", "error", "skipped"]
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. ``message`` is one line, ``details`` any number; ``kind`` classifies what did not pass."""

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
        rule: what kind of thing it is: a finding's id, or another name in lower case with hyphens.
        title: a few words for its head.
        message: any number of lines.
        file: the configuration, from the root of the repository where that is known; empty where there is none.
        line: counted from 1.
        meaning: what is true of every message of this rule.
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


class Document(ABC):
    """One subject, ready to be written by every format; each uses the parts that it has a place for.

    Attributes:
        record: what was found, as data; no format ever sees a secret.
        title: the heading.
        subtitle: after it on a page: the configuration's file.
        text_has_title: plain text begins with the title; otherwise the first block says what this is.
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
        """What a person reads, from top to bottom, without the conclusion."""

    @abstractmethod
    def suite(self) -> Suite:
        """The same as test cases. Unless the exit code is 0, one of them does not pass."""

    @abstractmethod
    def annotations(self) -> list[Annotation]:
        """The same as messages at lines. Unless the exit code is 0, one of them is an error."""

    def transcript(self) -> list[str] | None:
        """The lines that the command has printed while it ran, to be the plain text; None: it is made of the blocks."""
        return None
