"""The subjects of a search: the published releases of a package, or the commits of a repository."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType

from packaging.version import Version

from accumcheck.environments import Pin, Request, published_versions
from accumcheck.environments.git import Commit, Repository
from accumcheck.environments.processes import Processes
from accumcheck.environments.wheels import of_commit
from accumcheck.errors import ConfigError
from accumcheck.record.bisection import Find

Say = Callable[[str], None]


class Subject(ABC):
    """Candidates in order. An environment can be made for each. It is a context manager, so it can list them meanwhile.

    ``package``: the package that differs, if it is known; ``ends``: the two ends, the older one first; ``others``:
    further packages of every environment; ``key``: separates its results from those of other searches of the check.
    """

    package: str
    ends: tuple[str, str]
    others: tuple[Pin, ...]
    key: str = ""

    def __enter__(self) -> Subject:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @abstractmethod
    def between(self) -> Sequence[str]:
        """The candidates between the ends, the oldest first.

        Raises:
            ConfigError: there is no such package.
            LaunchError: the index could not be reached.
        """

    @abstractmethod
    def request(self, candidate: str, say: Say) -> Request:
        """The environment with a candidate. Builds a wheel if it needs one.

        Raises:
            ConfigError: the candidate does not exist.
            LaunchError: the candidate cannot be built.
        """

    @abstractmethod
    def check_reachable(self, candidate: str) -> None:
        """Check, after a candidate could not be installed, that the index can be reached.

        Raises:
            LaunchError: the index could not be reached.
        """

    def about(self, candidate: str) -> str:  # noqa: ARG002
        """Further facts about a candidate in a few words; may be empty."""
        return ""

    def full(self, candidate: str) -> str:
        """The full name of a candidate."""
        return candidate

    def pages(self, candidates: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """The addresses of pages about the changes in these candidates."""
        return ()


class Releases(Subject):
    """The published releases of one package. They are listed while the ends are tried."""

    def __init__(
        self, package: str, ends: tuple[str, str], others: Sequence[Pin], *, prereleases: bool = False
    ) -> None:
        self.package, self.ends, self.others = package, ends, tuple(others)
        self.key = "" if package == "transformers" else package
        self._prereleases = prereleases
        self._asking = Processes()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="listing")
        self._list = partial(published_versions, package, processes=self._asking)

    def __enter__(self) -> Subject:
        """Start to list the releases."""
        older, newer = map(Version, self.ends)
        self._listed = self._pool.submit(self._list, at_least=older, at_most=newer, prereleases=self._prereleases)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asking.stop()
        self._pool.shutdown()

    def between(self) -> Sequence[str]:
        """The releases between the ends, as soon as they are listed."""
        older, newer = map(Version, self.ends)
        return [str(one) for one in self._listed.result() if older < one < newer]

    def request(self, candidate: str, say: Say) -> Request:  # noqa: ARG002
        """The environment with a release."""
        return Request(_in_order([Pin(self.package, candidate), *self.others]))

    def check_reachable(self, candidate: str) -> None:
        """Query the index for the release again."""
        published_versions(self.package, at_least=Version(candidate), at_most=Version(candidate))

    def pages(self, candidates: Sequence[str]) -> tuple[str, ...]:
        """The release notes, or the releases' pages on PyPI."""
        address = _RELEASE_NOTES.get(self.package, f"https://pypi.org/project/{self.package}/{{}}/")
        return tuple(address.format(one) for one in candidates)


_RELEASE_NOTES = {
    "transformers": "https://github.com/huggingface/transformers/releases/tag/v{}",
    "accelerate": "https://github.com/huggingface/accelerate/releases/tag/v{}",
    "trl": "https://github.com/huggingface/trl/releases/tag/v{}",
    "peft": "https://github.com/huggingface/peft/releases/tag/v{}",
}


class Commits(Subject):
    """The commits of a local repository, by the first ten digits of their ids."""

    def __init__(
        self,
        repository: Repository,
        ends: tuple[Commit, Commit],
        others: Sequence[Pin],
        *,
        package: str = "",
        folder: str = "",
    ) -> None:
        self.package, self.others = package, tuple(others)
        self.ends = ends[0].short, ends[1].short
        self.key = f"{repository.folder}:{folder}"
        self._repository, self._commits = repository, ends
        self._folder = folder
        self._known = {one.short: one for one in ends}
        self._processes = Processes()

    def between(self) -> Sequence[str]:
        """The commits between the ends."""
        found = self._repository.between(*self._commits)
        self._known.update((one.short, one) for one in found)
        return [one.short for one in found]

    def request(self, candidate: str, say: Say) -> Request:
        """The environment with the wheel of a commit."""
        commit = self._known[candidate]
        pin = of_commit(self._repository, commit.id, self._folder, processes=self._processes, say=say)
        if self.package and pin.name != self.package:
            raise ConfigError(f"commit {candidate} contains the package {pin.name}, not {self.package}")
        self.package = pin.name
        return Request(_in_order([pin, *self.others]))

    def check_reachable(self, candidate: str) -> None:
        """Do nothing: a build reports by itself that the index could not be reached."""

    def about(self, candidate: str) -> str:
        """The first line of the commit's message."""
        return self._known[candidate].subject

    def full(self, candidate: str) -> str:
        """The full id of the commit."""
        return self._known[candidate].id


def releases_in_order(good: str, bad: str, find: Find) -> tuple[str, str]:
    """The two ends, the older one first.

    Raises:
        ConfigError: they are not in the order that ``find`` implies.
    """
    if Version(good) == Version(bad):
        raise ConfigError(f"--good {good} --bad {bad}: both ends are the same release")
    if find == "broken" and Version(good) > Version(bad):
        raise ConfigError(
            f"--good {good} is newer than --bad {bad}: to look for the release that fixed it, give --find fixed"
        )
    if find == "fixed" and Version(good) < Version(bad):
        raise ConfigError(
            f"--find fixed: --good {good} is older than --bad {bad}; to look for the release that broke it, remove "
            "--find fixed"
        )
    return (good, bad) if find == "broken" else (bad, good)


def commits_in_order(repository: Repository, good: str, bad: str, find: Find) -> tuple[Commit, Commit]:
    """The two ends, the older one first.

    Raises:
        ConfigError: there is no such commit, or they are not in the order that ``find`` implies.
    """
    first, last = repository.commit(good), repository.commit(bad)
    if first.id == last.id:
        raise ConfigError(f"--good {good} --bad {bad}: both ends are the same commit")
    if find == "fixed":
        first, last = last, first
    if repository.is_ancestor(first, last):
        return first, last
    older, newer = ("--good", "--bad") if find == "broken" else ("--bad", "--good")
    hint = ""
    if repository.is_ancestor(last, first):
        hint = "; the order is reversed: " + ("give --find fixed" if find == "broken" else "remove --find fixed")
    raise ConfigError(f"{older} {first.short} is not in the history of {newer} {last.short}{hint}")


def _in_order(pins: Sequence[Pin]) -> tuple[Pin, ...]:
    return tuple(sorted(pins, key=lambda pin: (pin.name != "transformers", pin.name)))
