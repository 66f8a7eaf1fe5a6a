"""Why something could not be checked: a kind that programs can act on, and a text for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ReasonKind = Literal[
    "unsupported",
    "missing-package",
    "not-enough-devices",
    "crashed",
    "hung",
    "out-of-memory",
    "refused",
]
"""``unsupported``: accumcheck cannot check this; ``missing-package``: a required package is not installed;
``not-enough-devices``: a split needs more GPUs than there are; ``crashed``: something broke; ``hung``: it did not end
within its time limit; ``out-of-memory``; ``refused``: it ran, or could have run, but its result would prove nothing."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a job did not run to its end: ``text`` is one line for the user.

    ``traceback``: the last lines of the program's exception, or of its output if it raised nothing.
    """

    kind: ReasonKind
    text: str
    traceback: tuple[str, ...] = ()
