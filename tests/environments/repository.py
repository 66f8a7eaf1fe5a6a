"""A git repository of a tiny package, made by a test: real git, real wheels, and no index, since it builds itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny-loop"
version = "{version}"
"""
BACKEND = """\
import pathlib, re, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = re.search('version = "(.*)"', pathlib.Path("pyproject.toml").read_text())[1]
    info = f"tiny_loop-{version}.dist-info"
    files = {
        "tiny_loop.py": pathlib.Path("tiny_loop.py").read_text(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: tiny-loop\\nVersion: {version}\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    name = f"tiny_loop-{version}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name
"""
BROKEN_BACKEND = "def build_wheel(*_): raise SystemExit('this commit does not build')\n"
DAY = "2026-03-{:02}T12:00:00+00:00"


class TinyRepository:
    """The repository; ``folder``: where the package is inside it."""

    def __init__(self, path: Path, folder: str = "") -> None:
        self.path, self.package = path, path / folder
        self.package.mkdir(parents=True)
        self.commits: list[str] = []
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, **environment: str) -> str:
        """Run git in the repository, with an author and no settings of this machine."""
        settings = {
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **settings, **environment},
        )
        return done.stdout.strip()

    def write(
        self, module: str, *, version: str = "1.0", builds: bool = True, more: Mapping[str, str] | None = None
    ) -> None:
        """Write the package's files, without a commit."""
        files = {
            "pyproject.toml": PYPROJECT.format(version=version),
            "backend.py": BACKEND if builds else BROKEN_BACKEND,
            "tiny_loop.py": module,
            **(more or {}),
        }
        for name, text in files.items():
            (self.package / name).write_text(text)

    def commit(self, module: str, message: str, *, builds: bool = True, more: Mapping[str, str] | None = None) -> str:
        """Commit the package with this module, a day after the last commit; its id."""
        self.write(module, builds=builds, more=more)
        self.git("add", "--all")
        day = DAY.format(len(self.commits) + 1)
        self.git("commit", "--quiet", "--allow-empty", "-m", message, GIT_AUTHOR_DATE=day, GIT_COMMITTER_DATE=day)
        self.commits.append(self.git("rev-parse", "HEAD"))
        return self.commits[-1]
