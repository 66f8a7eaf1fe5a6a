"""The report for GitHub Actions: annotations at the configuration's lines, and the summary of the step.

Workflow commands: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from accumcheck.report.layout import clean
from accumcheck.report.words import findings, not_run, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accumcheck.record import Report
    from accumcheck.report.words import Note

Level = Literal["error", "warning"]
SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file to which a step's summary is appended."""


def text(report: Report) -> str:
    """The annotations, errors first since GitHub shows ten of each a step, and the verdict on a line of its own."""
    found = [one for note in (*not_run(report), *findings(report)) for one in _annotations(note, report)]
    found.sort(key=lambda one: not one.startswith("::error"))
    said = str(verdict(report))
    if report.exit_code and not any(one.startswith("::error") for one in found):
        found.insert(0, annotation("error", said, *place(report)))
    return "\n".join([*found, clean(said)]) + "\n"


def annotation(level: Level, message: str, file: str = "", line: int = 0, title: str = "accumcheck") -> str:
    """One workflow command; ``line`` counts from 1."""
    place = {"file": file, "line": str(line)} if file and line else {"file": file} if file else {}
    listed = ",".join(f"{name}={_property(value)}" for name, value in {**place, "title": title}.items())
    return f"::{level} {listed}::{_data(message)}"


def add_to_summary(markdown: str) -> str:
    """Append to the summary of the workflow's step, if there is one.

    Returns:
        Nothing, or a warning to print where the summary could not be written; the verdict stands without it.
    """
    if not (path := os.environ.get(SUMMARY)):
        return ""
    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as summary:
            summary.write(f"{markdown}\n")
    except OSError as error:
        return annotation("warning", f"the step's summary was not written: {error.strerror or error}") + "\n"
    return ""


def _annotations(note: Note, report: Report) -> Iterable[str]:
    """One for every line on which splits of the note stand; the whole run's at the line of the splits."""
    level = _level(note.tone, report)
    if level is None:
        return
    places: dict[tuple[str, int], list[str]] = {}
    for split in note.splits or [""]:
        places.setdefault(place(report, split), []).append(split)
    message = "\n".join([note.headline, *note.paragraphs, *([f"advice: {note.advice}"] if note.advice else [])])
    for (file, line), splits in places.items():
        of = splits[0] if len(splits) == 1 else note.labels
        yield annotation(level, message, file, line, f"accumcheck {of}".strip())


def _level(tone: str, report: Report) -> Level | None:
    if tone in ("fail", "error") or (tone == "warn" and report.strict):
        return "error"
    if tone == "skipped":
        return "error" if report.exit_code == 3 else "warning"
    return "warning" if tone == "warn" else None


def place(report: Report, split: str = "") -> tuple[str, int]:
    """The file, from the root of the workspace as GitHub wants it, and the line."""
    written = report.config_file
    if written is None:
        return "", 0
    path = written.path
    if workspace := os.environ.get("GITHUB_WORKSPACE"):
        here, root = Path(path).resolve(), Path(workspace).resolve()
        path = here.relative_to(root).as_posix() if here.is_relative_to(root) else path
    return path, written.splits.get(split, written.line)


def _data(said: str) -> str:
    lines = "\n".join(clean(line) for line in said.split("\n"))
    return lines.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(said: str) -> str:
    return _data(said).replace(":", "%3A").replace(",", "%2C")
