"""How many examples a test of drawn input tries: a part of them in `make test`, all of them in `make thorough`.

What is drawn is the same every time, so that a build is not broken by what another one drew.
"""

from __future__ import annotations

PART = 4
"""One in so many is tried unless ``--thorough`` is given."""

_every = [False]


def try_every(every: bool) -> None:
    """Called by tests/conftest.py before any test is imported: whether ``--thorough`` is given."""
    _every[0] = every


def examples(most: int) -> int:
    """The number of examples to try, of so many at most."""
    return most if _every[0] else most // PART
