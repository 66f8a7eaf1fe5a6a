"""The four questions that a page answers on its first screen: what is wrong, how large, since when, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.blocks import Fact, Facts, Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.report.blocks import Note

_BAD = ("fail", "error", "warn")
"""The tones of notes that need an answer, the worst first."""
_AS_KNOWN = "see the published fault, and its workaround, below"


def in_short(notes: Sequence[Note], *, since: str, otherwise: str) -> Section:
    """The answers for the worst note; an empty section if nothing is wrong.

    Args:
        notes: the notes of a document.
        since: the release or commit, if it is known better than from a published fault; may be empty.
        otherwise: what to do if neither the note nor a published fault says so.
    """
    bad = sorted((one for one in notes if one.tone in _BAD and not one.expected), key=lambda one: _BAD.index(one.tone))
    if not bad:
        return Section("In short", (), background=True)
    worst = bad[0]
    what, *_ = (*worst.paragraphs, worst.text)
    facts = [Fact("what is wrong", what)]
    if what != worst.text:
        facts.append(Fact("how large", worst.headline))
    facts.append(Fact("since when", since or _since(worst)))
    facts.append(Fact("what to do", worst.advice or _known(worst, "workaround") or _fixed(worst) or otherwise))
    if len(bad) > 1:
        more = len(bad) - 1
        facts.append(Fact("also", f"{more} more finding{'s' if more > 1 else ''}, below; this one comes first"))
    return Section("In short", (Facts(tuple(facts)),), background=True)


def _since(note: Note) -> str:
    affected, fixed = _known(note, "affected"), _known(note, "fixed")
    if not affected:
        return "not known: no published fault matches; accumcheck bisect finds the release"
    return f"{affected}{f'; fixed: {fixed}' if fixed else ''}"


def _fixed(note: Note) -> str:
    return f"upgrade to {fixed}" if (fixed := _known(note, "fixed")) else _AS_KNOWN if note.known else ""


def _known(note: Note, name: str) -> str:
    return next((value for one in note.known for key, value in one.facts if key == name), "")
