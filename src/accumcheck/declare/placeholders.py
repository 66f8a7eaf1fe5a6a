"""Placeholders for a split's numbers in a command line: ``{per_device_train_batch_size}``, or a product (``{k*n}``).

Other braces belong to the program: ``{"a": 1}``, ``{0:d}``, ``${oc.env:HOME}``. One that looks like a placeholder is
written twice to be passed on: ``{{epoch}}`` reaches the program as ``{epoch}``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from accumcheck.record import Split
from accumcheck.record.split import SPLIT_ALIASES

NAMES = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "num_processes",
    "global_batch_size",
    "steps",
)
"""Canonical names; `SPLIT_ALIASES` and ``B`` are allowed as well."""
OF_SPLIT = ("per_device_train_batch_size", "gradient_accumulation_steps")
"""A program needs these to know the size of a micro-batch."""
PRODUCT = "gradient_accumulation_steps*num_processes"
"""For programs that divide it by the number of processes themselves, as nanoGPT does."""

_ALIASES = {**SPLIT_ALIASES, "B": "global_batch_size", "max_steps": "steps"}
_LONGEST = 60
_INSIDE = r"([A-Za-z_]\w*(?:\s*\*\s*[A-Za-z_]\w*)*)"
_PLACEHOLDER = re.compile(r"\{\{" + _INSIDE + r"\}\}|(?<![${])\{" + _INSIDE + r"\}(?!\})")


def numbers_of(split: Split, steps: int) -> dict[str, int]:
    """The value of every canonical name."""
    return {
        "per_device_train_batch_size": split.per_device_train_batch_size,
        "gradient_accumulation_steps": split.gradient_accumulation_steps,
        "num_processes": split.num_processes,
        "global_batch_size": split.global_batch_size,
        "steps": steps,
    }


def names_in(text: str) -> Iterator[str]:
    """Every name in a placeholder of the text: canonical, or as it was written if it is not known."""
    for match in _PLACEHOLDER.finditer(text):
        for name in _factors(match.group(2) or ""):
            yield _ALIASES.get(name, name)


def fill(text: str, numbers: Mapping[str, int]) -> str:
    """The text with its placeholders replaced by the numbers; one with an unknown name is left unchanged.

    Args:
        text: of a command line, or of a file.
        numbers: see `numbers_of`.
    """

    def filled(match: re.Match[str]) -> str:
        if match.group(1):
            return f"{{{match.group(1)}}}"
        product = 1
        for name in _factors(match.group(2)):
            if (canonical := _ALIASES.get(name, name)) not in numbers:
                return match.group(0)
            product *= numbers[canonical]
        return str(product)

    return _PLACEHOLDER.sub(filled, text)


def unknown(text: str) -> str:
    """The message about the first unknown name in a placeholder; empty if all are known."""
    name = next((name for name in names_in(text) if name not in NAMES), None)
    if name is None:
        return ""
    close = difflib.get_close_matches(name.lower(), (*NAMES, *_ALIASES), n=1) if len(name) < _LONGEST else []
    meant = f"; did you mean {{{close[0]}}}?" if close else "."
    known = ", ".join(f"{{{one}}}" for one in NAMES)
    return (
        f"{{{name[:_LONGEST]}}} is not a placeholder; expected {known}, or a product such as {{{PRODUCT}}}{meant} "
        f"Double the braces that belong to the program: {{{{{name[:_LONGEST]}}}}}"
    )


def with_unknown_doubled(text: str) -> str:
    """The text, with doubled braces around everything that looks like a placeholder but is not one."""

    def doubled(match: re.Match[str]) -> str:
        names = _factors(match.group(2) or "")
        return match.group(0) if all(_ALIASES.get(one, one) in NAMES for one in names) else f"{{{match.group(0)}}}"

    return _PLACEHOLDER.sub(doubled, text)


def _factors(inside: str) -> list[str]:
    return [name.strip() for name in inside.split("*")] if inside else []
