"""The sources of the scripts in `scripts/published.yaml`: a repository at a pinned commit, or an installed package.

No source is copied into this project. Each is fetched into its own folder in ``build/``.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


class NoSourceError(Exception):
    """A source is missing and cannot be fetched. The message says what to do."""


@dataclass(frozen=True)
class Source:
    """A repository at a commit; ``folder``: the folder of the scripts in it."""

    name: str
    repository: str
    commit: str
    folder: str = "."

    def found_in(self, there: Path | None, cache: Path) -> Path:
        """The folder of the scripts.

        Args:
            there: a folder with a checkout of each source under its name; None: fetch the source.
            cache: the folder for fetched sources.

        Raises:
            NoSourceError: the source is missing, or cannot be fetched.
        """
        if there is not None:
            found = there / self.name / self.folder
            if not found.is_dir():
                raise NoSourceError(
                    f"{found} does not exist; expected a checkout of {self.repository} at {self.commit[:12]} as "
                    f"{there / self.name}"
                )
            return found
        checkout = cache / f"{self.name}-{self.commit[:12]}"
        if not (checkout / "fetched").exists():
            self._fetch(checkout)
        return checkout / self.folder

    def _fetch(self, checkout: Path) -> None:
        """Fetch only this commit, and only the folder."""
        checkout.mkdir(parents=True, exist_ok=True)
        steps = [
            ["init", "--quiet"],
            ["sparse-checkout", "set", "--no-cone", f"/{self.folder}/" if self.folder != "." else "/*"],
            ["config", "remote.origin.url", self.repository],
            ["fetch", "--quiet", "--depth", "1", "--filter=blob:none", "origin", self.commit],
            ["checkout", "--quiet", "--force", "FETCH_HEAD"],
        ]
        for step in steps:
            try:
                subprocess.run(["git", "-C", str(checkout), *step], check=True, capture_output=True, text=True)
            except FileNotFoundError as error:
                raise NoSourceError("git is not installed; it fetches the published scripts") from error
            except subprocess.CalledProcessError as error:
                why = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise NoSourceError(
                    f"{self.repository} at {self.commit[:12]} could not be fetched ({why}); with a checkout of it in "
                    f"DIR/{self.name}, give --source DIR, or SCRIPTS_SOURCE=DIR to make"
                ) from error
        (checkout / "fetched").touch()
