"""The four questions that a page answers on its first screen: what is wrong, how large, since when, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.blocks import Fact, Facts, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from accumcheck.report.blocks import Note

_BAD = ("fail", "error", "warn")
"""The tones of notes that need an answer, the worst first."""
_AS_KNOWN = "see the published fault, and its workaround, below"
UNDECIDED = {
    "unsupported": "see the reason: it says what can be checked",
    "missing-package": "install the package, or name a release of it with --with",
    "not-enough-devices": "give --allow-skipped, or share the devices: launcher.oversubscribe: true",
    "crashed": "see the traceback and the log below",
    "hung": "see the log below; give more time: launcher.timeout",
    "out-of-memory": "use a smaller model (model.shrink: true) or a smaller global batch",
    "refused": "do what the reason says",
}
"""What to do where a split has no result, by `accumcheck.record.ReasonKind`."""


def in_short(notes: Sequence[Note], *, since: str, otherwise: Callable[[Note], str]) -> Section:
    """The answers for the worst note; an empty section if nothing is wrong.

    What could not be decided has no size, and no release is to blame for it.

    Args:
        notes: the notes of a document.
        since: the release or commit, if it is known better than from a published fault; may be empty.
        otherwise: what to do about a note if neither the note nor a published fault says so.
    """
    bad = sorted((one for one in notes if one.tone in _BAD and not one.expected), key=lambda one: _BAD.index(one.tone))
    if not bad:
        return Section("In short", (), background=True)
    worst = bad[0]
    what, *_ = (*worst.paragraphs, worst.text)
    facts = [Fact("what is wrong", what)]
    if worst.tone != "error":
        if what != worst.text:
            facts.append(Fact("how large", worst.headline))
        facts.append(Fact("since when", since or _since(worst)))
    told = worst.advice or _known(worst, "workaround") or _fixed(worst) or UNDECIDED.get(worst.id)
    facts.append(Fact("what to do", told or otherwise(worst)))
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
