"""A report format: each is a file in `accumcheck.report.formats` that has a `FORMAT`; see `registry`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from accumcheck.report.document import Document


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: for ``--format``.
        text: writes a whole document, ending in a line break.
        extension: of ``--output`` files, with its dot; empty: it is never written to a file.
        file_name: the one name of ``--output`` files, in place of an extension.
        title: a description, where the name is not one.
        for_output: whether ``--format`` accepts it.
        show: prints a document on a stream differently from `text`: in colour, or with additions.
    """

    name: str
    text: Callable[[Document], str]
    extension: str = ""
    file_name: str = ""
    title: str = ""
    for_output: bool = True
    show: Callable[[Document, IO[str]], None] | None = None
