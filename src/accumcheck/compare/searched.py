"""Read from a command line what to search: the releases of a package, or the commits of a repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name

from accumcheck.compare.subjects import Commits, Releases, Subject, commits_in_order, releases_in_order
from accumcheck.environments import Pin, build_wheel, latest
from accumcheck.environments.git import Repository
from accumcheck.environments.processes import Processes
from accumcheck.environments.request import Wanted, once, read_wanted, resolve
from accumcheck.errors import ConfigError
from accumcheck.record.bisection import Find

Say = Callable[[str], None]


def search_of(
    good: str,
    bad: str,
    others: Sequence[str],
    *,
    find: Find,
    package: str | None,
    repo: str | None,
    prereleases: bool,
    say: Say,
) -> Subject:
    """The subject of a search.

    Args:
        good: the good end: a release; with ``repo`` a commit, branch or tag.
        bad: the bad end.
        others: further packages of every environment.
        find: what to find.
        package: the package whose releases are searched; default: transformers. With ``repo``: its package.
        repo: a local git repository. ``#subdirectory=FOLDER`` after it names the package's folder in it.
        prereleases: whether to try pre-releases too.
        say: called with one line on what is being done.

    Raises:
        ConfigError: an end does not exist, the ends are in the wrong order, or something is malformed.
    """
    name = canonicalize_name(package) if package is not None else ""
    faults: list[str] = []
    besides = read_wanted("--with", others, faults, versions=False)
    searched = name or ("" if repo is not None else "transformers")
    if repo is not None:
        once(besides, faults)
        path, _, folder = repo.partition("#subdirectory=")
        repository = Repository(Path(path).expanduser().absolute(), Processes())
        commits = commits_in_order(repository, good, bad, find)
        pins = _besides(besides, searched, say)
        return Commits(repository, commits, pins, package=searched, folder=folder.strip("/"))
    ends = [
        one
        for option, text in (("--good", good), ("--bad", bad))
        for one in read_wanted(option, [text if searched == "transformers" else f"{searched}=={text}"], faults)
    ]
    for one in ends:
        if one.name != searched or one.source is not None:
            faults.append(f"{one.place}: expected a release of {searched}; to search among commits, give --repo PATH")
    once(besides, faults)
    versions = [resolve([one], latest=latest) for one in ends]
    of_good, of_bad = (request.pins[0].version for request in versions if request is not None)
    in_order = releases_in_order(of_good, of_bad, find)
    return Releases(searched, in_order, _besides(besides, searched, say), prereleases=prereleases)


def _besides(wanted: Sequence[Wanted], searched: str, say: Say) -> tuple[Pin, ...]:
    request = resolve(wanted, latest=latest, build=partial(build_wheel, say=say))
    pins = () if request is None else request.pins
    if any(pin.name == searched for pin in pins):
        raise ConfigError(f"--with {searched}: the search chooses this package's release; remove the option")
    return pins
