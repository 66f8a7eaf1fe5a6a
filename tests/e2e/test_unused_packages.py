"""A package that the libraries of a check import without a use for it: only the first run imports it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.program import command, write_config

pytestmark = pytest.mark.e2e

NOTED = """
import os
with open(os.environ["IMPORTED"], "a") as stream:
    print(os.getpid(), file=stream)
class Dataset: pass
class IterableDataset: pass
"""
BROKEN = "raise ImportError('numpy.core.multiarray failed to import')"


@dataclass(frozen=True)
class Place:
    """A folder with a configuration, and with a package named ``datasets`` that is imported before the real one."""

    folder: Path

    def write(self, text: str) -> None:
        package = self.folder / "packages" / "datasets"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(text, encoding="utf-8")
        metadata = package.with_name("datasets-9.9.dist-info")
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text("Name: datasets\nVersion: 9.9\n", encoding="utf-8")

    def run(self, *options: str) -> tuple[int, str, Sequence[str]]:
        """The exit code, standard output, and the processes that have imported the package."""
        imported = self.folder / "imported"
        imported.write_text("", encoding="utf-8")
        packages = str(self.folder / "packages")
        variables = {
            "PYTHONPATH": os.pathsep.join([packages, *filter(None, [os.environ.get("PYTHONPATH")])]),
            "IMPORTED": str(imported),
            "ACCUMCHECK_CACHE": str(self.folder / "cache"),
        }
        done = subprocess.run(
            command("run", self.folder / "check.yaml", *options),
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return done.returncode, done.stdout, imported.read_text(encoding="utf-8").split()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    write_config(tmp_path, splits=["1x8x1", "1x1x8"], steps=1)
    return Place(tmp_path)


def test_only_the_first_run_imports_it_until_something_is_installed(place: Place) -> None:
    place.write(NOTED)
    first, second = place.run(), place.run()
    assert (first[0], second[0]) == (0, 0), (first[1], second[1])
    assert len(first[2]) == 1  # the fork server, of which workers are forks
    assert second[2] == []
    assert len(place.run("--set", "training_arguments.optim=adamw_torch")[2]) == 1  # an optimizer may use it
    place.write(BROKEN)
    code, out, _ = place.run()
    assert code == 3
    assert "ERROR   every split: ImportError: numpy.core.multiarray failed to import" in out
    assert place.run()[0] == 3  # that run has noted nothing
