"""Binary search over releases in order, like git bisect. Some releases may give no answer."""

from __future__ import annotations

from collections.abc import Sequence


class Search:
    """Looks for the first release that gives the same answer as the last one.

    The answers of the first and the last release are known and differ. In between the answer should change once. If it
    changes several times, one of the changes is found.
    """

    def __init__(self, releases: Sequence[str]) -> None:
        """``releases``: at least two releases, the oldest first."""
        self.releases = tuple(releases)
        self.skipped: set[int] = set()
        self._low, self._high = 0, len(self.releases) - 1

    @property
    def left(self) -> int:
        """How many releases may still have to be tried."""
        return len(self._untried())

    @property
    def steps(self) -> int:
        """How many releases will be tried if none is skipped."""
        return self.left.bit_length()

    @property
    def before(self) -> str:
        """The last release that is known to give the same answer as the first one."""
        return self.releases[self._low]

    @property
    def candidates(self) -> tuple[str, ...]:
        """The releases that may be the first one with the last one's answer. At the end of the search it is one."""
        return self.releases[self._low + 1 : self._high + 1]

    def next(self) -> str | None:
        """The next release to try: the one nearest to the middle that was not skipped; None if there is none."""
        untried = self._untried()
        middle = (self._low + self._high) / 2
        return self.releases[min(untried, key=lambda at: abs(at - middle))] if untried else None

    def tell(self, release: str, as_last: bool | None) -> None:
        """Record the answer of a release: that of the last one (True), of the first one (False), or none (None)."""
        at = self.releases.index(release)
        if as_last is None:
            self.skipped.add(at)
        elif as_last:
            self._high = min(self._high, at)
        else:
            self._low = max(self._low, at)

    def _untried(self) -> list[int]:
        return [at for at in range(self._low + 1, self._high) if at not in self.skipped]
