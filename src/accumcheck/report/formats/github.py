"""GitHub Actions: annotations at the configuration's lines, and the summary of the step.

Workflow commands: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from accumcheck.report.document import Annotation
from accumcheck.report.escapes import clean
from accumcheck.report.format import Format
from accumcheck.report.formats import markdown

if TYPE_CHECKING:
    from accumcheck.report.document import Document

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file to which a step's summary is appended."""


def text(document: Document) -> str:
    """The annotations, errors first since GitHub shows ten of each per step, and the verdict on a separate line."""
    found = [one for one in document.annotations() if one.level != "note"]
    found.sort(key=lambda one: one.level != "error")
    return "\n".join([*map(command, found), clean(str(document.conclusion()))]) + "\n"


def show(document: Document, stream: IO[str]) -> None:
    """Print the annotations; the report in Markdown goes to the summary of the workflow's step."""
    from accumcheck.report.streams import put

    warning = _add_to_summary(markdown.text(document))  # first: the reader of the stream may close it
    put(text(document) + warning, stream)


def command(annotation: Annotation) -> str:
    """One workflow command."""
    place = {"file": annotation.file} if annotation.file else {}
    if annotation.file and annotation.line:
        place["line"] = str(annotation.line)
    listed = ",".join(f"{name}={_property(value)}" for name, value in {**place, "title": annotation.title}.items())
    return f"::{annotation.level} {listed}::{_data(annotation.message)}"


def _add_to_summary(text_: str) -> str:
    """Append to the summary of the workflow's step, if there is one.

    Returns:
        A warning to print if the summary could not be written, else empty; the verdict does not depend on it.
    """
    if not (path := os.environ.get(SUMMARY)):
        return ""
    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as summary:
            summary.write(f"{text_}\n")
    except OSError as error:
        why = f"the step's summary was not written: {error.strerror or error}"
        return command(Annotation("warning", "summary", "accumcheck", why)) + "\n"
    return ""


def _data(text_: str) -> str:
    lines = "\n".join(clean(line) for line in text_.split("\n"))
    return lines.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text_: str) -> str:
    return _data(text_).replace(":", "%3A").replace(",", "%2C")


FORMAT = Format("github", text, show=show)
