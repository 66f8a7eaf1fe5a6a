"""Reports: every subject in every format, on standard output and in files.

A subject (`documents/`) is a list of blocks; a format (`formats/`) writes blocks. `registry` has the
names of the formats and everything that is derived from them.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from accumcheck.report.files import check_place, check_writable, save
from accumcheck.report.registry import FORMATS, check_format, format_of

if TYPE_CHECKING:
    from pathlib import Path

    from accumcheck.report.document import Document

__all__ = ["check_format", "check_place", "check_writable", "format_of", "show", "text_of", "write"]


def text_of(document: Document, name: str) -> str:
    """A document in a format, as text that ends in a line break.

    Args:
        document: of any subject.
        name: of a format.
    """
    return FORMATS[name].text(document)


def show(document: Document, name: str, stream: IO[str]) -> None:
    """Print a document in the format ``name``; only a table on a terminal is in colour.

    With ``github``, the document in Markdown also goes to the summary of the workflow's step.
    """
    from accumcheck.report.streams import put

    chosen = FORMATS[name]
    if chosen.show is None:
        put(chosen.text(document), stream)
    else:
        chosen.show(document, stream)


def write(document: Document, path: Path) -> None:
    """Write a document to a file in the format of its extension. If that fails, the file is unchanged.

    Raises:
        ConfigError: the extension is unknown.
        AccumcheckError: the file could not be written, for example on a full disk.
    """
    save(text_of(document, format_of(path)), path)
