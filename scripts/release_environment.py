"""Make an isolated environment for one transformers release, layered over the one that runs this script.

    python scripts/release_environment.py 4.49.0

prints the interpreter to use. Into the environment go that release and the dependencies of its day; everything else,
torch above all, is seen through a ``.pth`` file in the environment below and never installed a second time.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from uv import find_uv_bin

FOLDER = Path(".releases")
ALWAYS = ("accelerate", "numpy")
"""Installed of the release's day beside transformers and what it requires: Trainer does not run without them."""
NEVER = ("torch", "accumcheck")
"""Never installed again: what these require of other packages binds the choice of those instead."""

_UPLOAD_TIME = re.compile(r"upload-time = ([0-9T:.-]+)Z")


def day_after(pylock: str) -> str:
    """The midnight (UTC) that ends the day on which the last file of a locked package was uploaded.

    Args:
        pylock: a lock file (PEP 751) of one package.

    Raises:
        ValueError: the package index gave no upload time.
    """
    moments = [datetime.fromisoformat(text[:19]) for text in _UPLOAD_TIME.findall(pylock)]
    if not moments:
        raise ValueError("the package index says no upload times, so the dependencies of that day cannot be told")
    midnight = max(moments).replace(hour=0, minute=0, second=0) + timedelta(days=1)
    return midnight.replace(tzinfo=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def requirements_of(metadata: Iterable[str] | None) -> list[Requirement]:
    """The requirements that hold on this machine, without those of extras."""
    parsed = [Requirement(line) for line in metadata or ()]
    return [one for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]


def broken_by(base: Mapping[str, Iterable[str]], layer: Mapping[str, str]) -> list[str]:
    """The packages of the environment below that no longer find what they require.

    Args:
        base: the packages below and their requirements, as in their metadata.
        layer: the packages laid over them and their versions.
    """
    return sorted(
        name
        for name, metadata in base.items()
        if name not in layer
        and name not in NEVER
        and any(
            not requirement.specifier.contains(layer[key], prereleases=True)
            for requirement in requirements_of(metadata)
            if (key := canonicalize_name(requirement.name)) in layer
        )
    )


def packages(site: Path) -> dict[str, Distribution]:
    """What is installed in one site-packages folder, by canonical name."""
    return {canonicalize_name(found.metadata["Name"]): found for found in distributions(path=[str(site)])}


class ReleaseEnvironment:
    """One release's environment under ``folder``; `build` makes it, or finds it as it was made."""

    def __init__(self, release: str, folder: Path = FOLDER) -> None:
        self.release = release
        self.path = (folder / release).resolve()
        self.python = self.path / "bin" / "python"
        self._base = Path(sysconfig.get_paths()["purelib"])
        self._base_packages = packages(self._base)

    def build(self) -> Path:
        """Return the environment's interpreter.

        Raises:
            subprocess.CalledProcessError: uv failed; its own words are on standard error.
            ValueError: the package index does not know when the release was uploaded.
        """
        stamp = self.path / ".complete"
        recipe = "\n".join(sorted(f"{name}=={found.version}" for name, found in self._base_packages.items()))
        if stamp.exists() and stamp.read_text(encoding="utf-8") == recipe:
            return self.python
        before = day_after(self._lock(f"transformers=={self.release}"))
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(self.path))
        self._lay_over_base()
        self._install(before)
        subprocess.run([self.python, "-c", "from transformers import Trainer"], check=True)
        stamp.write_text(recipe, encoding="utf-8")
        return self.python

    @property
    def _site(self) -> Path:
        (site,) = (self.path / "lib").glob("python3*/site-packages")
        return site

    def _lay_over_base(self) -> None:
        # addsitedir, since the .pth files below (an editable accumcheck's among them) must be read as well
        line = f"import site; site.addsitedir({str(self._base)!r})\n"
        (self._site / "zz_base.pth").write_text(line, encoding="utf-8")

    def _install(self, before: str) -> None:
        """Install the release, then whatever below it breaks, until nothing is broken."""
        never, bounds = self.path / "never.txt", self.path / "bounds.txt"
        never.write_text("".join(f"{name}; sys_platform == 'never'\n" for name in NEVER), encoding="utf-8")
        bounds.write_text("".join(f"{bound}\n" for bound in self._bounds()), encoding="utf-8")
        requirements = {name: found.requires or () for name, found in self._base_packages.items()}
        wanted = [f"transformers=={self.release}", *ALWAYS]
        too_young: set[str] = set()
        while True:
            _uv(
                *("pip", "install", "--quiet", "--python", str(self.python), "--exclude-newer", before),
                *("--overrides", str(never), "--constraints", str(bounds), *wanted),
            )
            layer = {name: found.version for name, found in packages(self._site).items()}
            broken = set(broken_by(requirements, layer)) - too_young
            # a package that was not there on that day is none that the release could ask for: it stays as it is
            too_young |= {name for name in broken if not self._existed(name, before)}
            if not broken - too_young:
                return
            wanted += sorted(broken - too_young)

    def _bounds(self) -> list[str]:
        return [
            str(requirement).partition(";")[0].strip()
            for name in NEVER
            if name in self._base_packages
            for requirement in requirements_of(self._base_packages[name].requires)
            if not requirement.extras
        ]

    def _existed(self, package: str, before: str) -> bool:
        return bool(self._lock(package, "--exclude-newer", before, check=False))

    def _lock(self, requirement: str, *options: str, check: bool = True) -> str:
        # the one answer of uv's that carries the index's upload times, whichever index is configured
        compile_ = ("pip", "compile", "--quiet", "--no-deps", "--format", "pylock.toml", "--python", sys.executable)
        return _uv(*compile_, *options, "-", text=requirement, check=check)


def _uv(*arguments: str, text: str = "", check: bool = True) -> str:
    done = subprocess.run(
        [find_uv_bin(), *arguments],
        input=text,
        text=True,
        stdout=subprocess.PIPE,
        stderr=None if check else subprocess.DEVNULL,
        check=check,
    )
    return done.stdout if done.returncode == 0 else ""


def main() -> int:
    """Build the environments named on the command line and print their interpreters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="+", help="a transformers release, for example 4.49.0")
    parser.add_argument("--into", type=Path, default=FOLDER, metavar="FOLDER", help="default: %(default)s")
    options = parser.parse_args()
    for release in options.release:
        print(ReleaseEnvironment(release, options.into).build())
    return 0


if __name__ == "__main__":
    sys.exit(main())
