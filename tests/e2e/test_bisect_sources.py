"""A search over three commits of a local repository. Each commit has the source of one release of transformers.

It takes minutes and needs a package index for the dependencies, so it runs only on request: set ACCUMCHECK_SDISTS to a
folder with the sources of `RELEASES`, from ``pip download --no-deps --no-binary :all: transformers==4.48.3``.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.e2e.program import accumcheck, write_config
from tests.environments.repository import TinyRepository

FOLDER = os.environ.get("ACCUMCHECK_SDISTS", "")
RELEASES = {"4.48.2": "2025-01-30", "4.48.3": "2025-02-07", "4.49.0": "2025-02-17"}
"""The releases and their dates. The date of a commit decides the releases of its dependencies.

Only the last release passes a token count to LLaVA, which ignores it, so nothing divides by k.
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="ACCUMCHECK_SDISTS is not set to a folder with source distributions"),
]


def repository(folder: Path) -> TinyRepository:
    """Make a repository with one commit per release."""
    made = TinyRepository(folder)
    for release, day in RELEASES.items():
        for old in folder.iterdir():
            if old.name != ".git":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        with tarfile.open(Path(FOLDER) / f"transformers-{release}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        (inside,) = folder.glob("transformers-*")
        for one in inside.iterdir():
            one.rename(folder / one.name)
        inside.rmdir()
        made.git("add", "--all")
        date = f"{day}T12:00:00+00:00"
        made.git("commit", "--quiet", "-m", f"transformers {release}", GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        made.commits.append(made.git("rev-parse", "HEAD"))
    return made


def test_the_commit_that_broke_llava_is_found(tmp_path: Path) -> None:
    made = repository(tmp_path / "transformers")
    config = write_config(
        tmp_path,
        model={"config": {"model_type": "llava"}, "architecture": "LlavaForConditionalGeneration", "shrink": True},
        data={"synthetic": {"min_length": 8, "max_length": 24, "lengths": "equal"}},
        global_batch_size=4,
        steps=1,
        splits=["1x4x1", "1x2x2"],
    )
    first, _, last = made.commits
    ended = accumcheck("bisect", config, "--repo", made.path, "--good", first, "--bad", last, timeout=1500)
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.splitlines()[-1] == f"first bad release: {last}"
    assert "transformers 4.49.0" in ended.out
