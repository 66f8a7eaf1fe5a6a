"""Build one environment in an empty folder: the releases, and dependencies as of the day of the releases."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from accumcheck.environments import index
from accumcheck.environments.overlay import NEVER, Base, broken_by, packages_in, unmet_by
from accumcheck.environments.processes import Processes
from accumcheck.environments.recipes import recipes_for
from accumcheck.environments.request import Request
from accumcheck.errors import LaunchError

ALWAYS = ("accelerate", "numpy")
"""Installed in addition to transformers and its requirements, as of the same day: Trainer needs them."""
COMPILED = ("numpy", "tokenizers", "safetensors", "pyarrow", "pandas")
"""Installed from wheels only: if there is none for this Python, a message is better than a long compilation."""

_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try: found[name] = version(name)
    except PackageNotFoundError: found[name] = None
print(json.dumps(found))
"""

Say = Callable[[str], None]


def build(request: Request, base: Base, folder: Path, processes: Processes, say: Say) -> Mapping[str, object]:
    """Build an environment in an empty folder.

    Args:
        request: the packages to install.
        base: the environment below.
        folder: the empty folder; it may be renamed afterwards.
        processes: runs uv and the new interpreter.
        say: called with a few words for each phase.

    Returns:
        The contents of the environment, for its stamp.

    Raises:
        ConfigError: there is no such release, or the releases conflict.
        LaunchError: the index could not be reached, or the releases do not run here.
        StoppedError: the work was cancelled.
    """
    say("asking the package index")
    day = max(index.day_of(pin, processes) for pin in request.pins)
    before = index.end_of_day(day)
    _uv("venv", "--quiet", "--clear", "--relocatable", "--python", base.python, str(folder), processes=processes)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "zz_accumcheck_base.pth").write_text(base.path_file(), encoding="utf-8")
    of_the_day = "further packages" if request.keeps_what_is_here else "the dependencies"
    say(f"installing, with {of_the_day} of {day:%Y-%m-%d}")
    _install(request, base, folder, site, before, processes)
    say("importing Trainer")
    # transformers can be imported without torch too, but its Trainer then raises an error when it is used
    tried = processes.run([str(python_in(folder)), "-c", "import torch, accumcheck; from transformers import Trainer"])
    if tried.returncode != 0:
        last = (tried.stderr.strip().splitlines() or ["no error message"])[-1]
        torch = base.packages["torch"].version if "torch" in base.packages else "none"
        raise LaunchError(f"{request} cannot be imported with torch {torch}: {last}")
    if wrong := differences(request, python_in(folder), processes):
        raise LaunchError(wrong)
    return {
        "releases": {pin.name: pin.label for pin in request.pins},
        "packages": {name: found.version for name, found in sorted(packages_in([site]).items())},
        "before": before,
        "base": base.python,
    }


def python_in(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def differences(request: Request, python: Path, processes: Processes) -> str:
    """What an interpreter imports instead of the releases; empty if it imports the right ones."""
    asked = {pin.name: pin.version for pin in request.pins}
    done = processes.run([str(python), "-c", _VERSIONS, *asked])
    if done.returncode != 0:
        return f"{python} does not run: {(done.stderr.strip().splitlines() or ['no word of why'])[-1]}"
    found: dict[str, str | None] = json.loads(done.stdout)
    wrong = [
        f"{name} {found[name] or 'missing'} instead of {version}"
        for name, version in asked.items()
        if (there := found[name]) is None or Version(there) != Version(version)
    ]
    hint = "; something else comes first on the import path, for example from PYTHONPATH" if wrong else ""
    return f"{python} finds {', '.join(wrong)}{hint}" if wrong else ""


def _install(request: Request, base: Base, folder: Path, site: Path, before: str, processes: Processes) -> None:
    """Install the releases, then the packages below that they break, until nothing is broken."""
    overrides, bounds = folder / "overrides.txt", folder / "bounds.txt"
    named, recipes = {pin.name for pin in request.pins}, recipes_for(request.pins)
    never = {*NEVER, *(name for recipe in recipes for name in recipe.without)} - named
    instead = [requirement for recipe in recipes for requirement in recipe.instead]
    replaced = {canonicalize_name(Requirement(requirement).name) for requirement in instead}
    kept = set(base.packages) - named - replaced if request.keeps_what_is_here else set()
    bounds.write_text("".join(f"{bound}\n" for bound in base.bounds()), encoding="utf-8")
    for module, text in ((module, text) for recipe in recipes for module, text in recipe.stubs.items()):
        (site / f"{module}.py").write_text(text, encoding="utf-8")
    also = dict.fromkeys([*ALWAYS, *(name for recipe in recipes for name in recipe.also)])
    wanted = [*(str(pin) for pin in request.pins), *(name for name in also if name not in named | kept)]
    too_young: set[str] = set()
    while True:
        lines = [*(f"{name}; sys_platform == 'never'" for name in sorted(never | kept)), *instead]
        overrides.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        _uv(
            *("pip", "install", "--quiet", "--python", str(python_in(folder)), "--exclude-newer", before),
            *("--overrides", str(overrides), "--constraints", str(bounds)),
            *(option for name in COMPILED for option in ("--only-binary", name)),
            *wanted,
            processes=processes,
        )
        layer = {name: found.version for name, found in packages_in([site]).items()}
        broken = set(broken_by(base.requirements(), layer)) - too_young
        # a package that was not published on that day cannot be a requirement of the release: it stays as it is
        too_young |= {name for name in broken if not _existed(name, before, processes)}
        # if an installed package needs another release of a package below, that release must be installed too
        lacking = set(unmet_by(packages_in([site]), {name: one.version for name, one in base.packages.items()})) & kept
        if not broken - too_young and not lacking:
            return
        kept -= broken | lacking
        wanted += sorted(broken - too_young)


def _existed(package: str, before: str, processes: Processes) -> bool:
    return index.lock_file(package, processes, "--exclude-newer", before) is not None


def _uv(*arguments: str, processes: Processes) -> None:
    done = index.uv(*arguments, processes=processes)
    if done.returncode != 0:
        raise index.failure(done)
