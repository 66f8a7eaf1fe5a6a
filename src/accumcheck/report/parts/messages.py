"""The findings of a run as messages at the lines of its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.document import Annotation
from accumcheck.report.parts.notes import findings, not_run
from accumcheck.report.parts.places import place
from accumcheck.report.parts.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.record import Report
    from accumcheck.report.blocks import Known, Note
    from accumcheck.report.document import Level

_NOT_RUN = {
    "unsupported": "accumcheck cannot check this.",
    "missing-package": "A package that the check needs is not installed.",
    "not-enough-devices": "The split needs more devices than there are.",
    "crashed": "A process of the split crashed.",
    "hung": "The split did not end within its time limit.",
    "out-of-memory": "A process of the split ran out of memory.",
    "refused": "The split's result would prove nothing.",
}
"""The meaning of every kind of `accumcheck.record.ReasonKind`."""


def messages(report: Report) -> list[Annotation]:
    """What did not run, every finding, and the verdict if nothing else shows that the run did not pass."""
    found = [one for note in (*not_run(report), *findings(report)) for one in _of_note(note, report)]
    if report.exit_code and not any(one.level == "error" for one in found):
        file, line = place(report)
        meaning = "The run as a whole did not pass."
        found.insert(0, Annotation("error", "verdict", "accumcheck", str(verdict(report)), file, line, meaning))
    return found


def _of_note(note: Note, report: Report) -> Iterator[Annotation]:
    """One for every line with splits of the note; a note about the whole run is at the line of all splits."""
    places: dict[tuple[str, int], list[str]] = {}
    for split in note.splits or [""]:
        places.setdefault(place(report, split), []).append(split)
    advice = [f"advice: {note.advice}"] if note.advice else []
    message = "\n".join([note.headline, *note.paragraphs, *advice, *note.excerpt])
    for (file, line), splits in places.items():
        of = splits[0] if len(splits) == 1 else note.labels
        yield Annotation(
            level="note" if note.expected else _level(note.tone, report),
            rule=note.id,
            title=f"accumcheck {of}".strip(),
            message=message,
            file=file,
            line=line,
            meaning="\n".join([*note.paragraphs, *advice, *map(_known, note.known)]) or _NOT_RUN.get(note.id, ""),
            url=next((known.url for known in note.known if known.url), ""),
        )


def _known(fault: Known) -> str:
    facts = "; ".join(f"{name}: {text}" for name, text in fault.facts)
    return f"known: {fault.title}{f' ({facts})' if facts else ''}"


def _level(tone: str, report: Report) -> Level:
    if tone in ("fail", "error") or (tone == "warn" and report.strict):
        return "error"
    if tone == "skipped":
        return "error" if report.exit_code == 3 else "warning"
    return "warning" if tone == "warn" else "note"
