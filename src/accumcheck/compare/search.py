"""Binary search over releases in order, some of which may not answer: as git bisect does."""

from __future__ import annotations

from collections.abc import Sequence


class Search:
    """Looks for the first release that answers as the last one does.

    The first release is known to answer one way, the last the other; in between the answer changes once. If it changes
    several times, one of the changes is found.
    """

    def __init__(self, releases: Sequence[str]) -> None:
        """Start with at least two releases, the oldest first."""
        self.releases = tuple(releases)
        self.skipped: set[int] = set()
        self._low, self._high = 0, len(self.releases) - 1

    @property
    def left(self) -> int:
        """How many releases may still have to be tried."""
        return len(self._untried())

    @property
    def steps(self) -> int:
        """How many of them will be, if none is skipped."""
        return self.left.bit_length()

    @property
    def before(self) -> str:
        """The last release known to answer as the first one does."""
        return self.releases[self._low]

    @property
    def candidates(self) -> tuple[str, ...]:
        """What may be the first that answers as the last one does; a single one when that is known."""
        return self.releases[self._low + 1 : self._high + 1]

    def next(self) -> str | None:
        """The release to try: the one nearest to the middle that was not skipped; None when there is none."""
        untried = self._untried()
        middle = (self._low + self._high) / 2
        return self.releases[min(untried, key=lambda at: abs(at - middle))] if untried else None

    def tell(self, release: str, as_last: bool | None) -> None:
        """What a release answered: as the last does, as the first does, or nothing (None)."""
        at = self.releases.index(release)
        if as_last is None:
            self.skipped.add(at)
        elif as_last:
            self._high = min(self._high, at)
        else:
            self._low = max(self._low, at)

    def _untried(self) -> list[int]:
        return [at for at in range(self._low + 1, self._high) if at not in self.skipped]
