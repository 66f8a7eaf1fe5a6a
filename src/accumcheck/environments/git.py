"""Local git repositories: their commits and the contents of a commit. Nothing is ever written into them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accumcheck.environments.processes import Processes
from accumcheck.errors import ConfigError, LaunchError

_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its full id, its date (ISO 8601), and the first line of its message."""

    id: str
    day: str
    subject: str

    @property
    def short(self) -> str:
        """The first ten digits of its id."""
        return self.id[:10]


class Repository:
    """A git repository on this machine."""

    def __init__(self, path: Path, processes: Processes) -> None:
        """Open the repository.

        Raises:
            ConfigError: there is no repository.
            LaunchError: git is not installed.
        """
        self._processes = processes
        self.path = path
        if not path.is_dir():
            raise ConfigError(f"{path} does not exist; give the folder of a git repository")
        done = self._git("rev-parse", "--absolute-git-dir")
        if done.returncode != 0:
            raise ConfigError(f"{path} is not a git repository: {_words(done)}")
        self.folder = Path(done.stdout.strip())

    def commit(self, ref: str) -> Commit:
        """The commit of a branch, a tag or an id.

        Raises:
            ConfigError: there is no such commit.
        """
        done = self._git("show", "--no-patch", "--format=%H%x00%cI%x00%s", f"{ref}^{{commit}}", "--")
        if done.returncode != 0:
            raise ConfigError(f"{ref}: {self.path} has no such commit, branch or tag; try git fetch there")
        return Commit(*done.stdout.rstrip("\n").split("\0"))

    def tree(self, commit: Commit, folder: str = "") -> str:
        """The id of the files in a commit, or in a folder of it. Equal ids mean equal files.

        Raises:
            ConfigError: there is no such folder.
        """
        done = self._git("rev-parse", "--verify", "--quiet", f"{commit.id}:{folder}")
        if done.returncode != 0:
            raise ConfigError(f"{folder}: no such folder in commit {commit.short}")
        return done.stdout.strip()

    def is_ancestor(self, older: Commit, newer: Commit) -> bool:
        """Whether one commit is in the history of the other."""
        return self._git("merge-base", "--is-ancestor", older.id, newer.id).returncode == 0

    def between(self, older: Commit, newer: Commit) -> list[Commit]:
        """The commits after the older and before the newer one, the oldest first.

        The commits are followed along the first parents, so a merge counts as one commit. If the older commit came in
        by a merge, all commits on the way from it are included.
        """
        line = self._listed(older, newer, "--first-parent")
        on_line = self._git("rev-list", "--first-parent", newer.id).stdout.split()
        if older.id not in on_line:
            line = self._listed(older, newer, "--ancestry-path", "--topo-order")
        return [one for one in line if one.id != newer.id]

    def check_out(self, commit: Commit, target: Path) -> None:
        """Check out a commit into a new folder, as a clone that shares the repository's objects.

        It is a clone and not a plain export because packages ask git for their version.

        Raises:
            LaunchError: the checkout failed, for example because the disk is full.
        """
        for arguments in (
            ("clone", "--quiet", "--shared", "--no-checkout", str(self.folder), str(target)),
            ("-C", str(target), "-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--detach", commit.id),
        ):
            done = self._run(arguments)
            if done.returncode != 0:
                raise LaunchError(f"commit {commit.short} of {self.path} could not be checked out: {_words(done)}")

    def _listed(self, older: Commit, newer: Commit, *options: str) -> list[Commit]:
        done = self._git("log", "--reverse", "--format=%H%x00%cI%x00%s", *options, f"{older.id}..{newer.id}", "--")
        return [Commit(*line.split("\0")) for line in done.stdout.splitlines() if line.count("\0") == 2]

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(("-C", str(self.path), *arguments))

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return self._processes.run(["git", *arguments], environment=_QUIET)


def files_of(folder: Path, processes: Processes) -> list[str] | None:
    """The files of a folder that git tracks or would track, relative to it; None if it is not in a repository."""
    arguments = ("-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    done = processes.run(["git", *arguments], environment=_QUIET)
    return sorted(filter(None, done.stdout.split("\0"))) if done.returncode == 0 else None


def mirror(address: str, ref: str, target: Path, processes: Processes) -> Repository:
    """An up-to-date bare copy of a remote repository.

    Args:
        address: the address, as for ``git clone``.
        ref: the branch, tag or commit that it must contain.
        target: the folder of the copy, new or existing.
        processes: runs git.

    Raises:
        LaunchError: the repository could not be fetched.
    """
    steps: list[tuple[str, ...]] = [("-C", str(target), "fetch", "--quiet", "--prune", "origin", "+refs/*:refs/*")]
    if not target.is_dir():
        steps = [("clone", "--quiet", "--mirror", address, str(target))]
    for arguments in steps:
        done = processes.run(["git", *arguments], environment=_QUIET)
        if done.returncode != 0:
            raise LaunchError(f"{address} could not be fetched for {ref}: {_words(done)}")
    return Repository(target, processes)


def _words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stderr or done.stdout).split())[:600] or f"git ended with {done.returncode}"
