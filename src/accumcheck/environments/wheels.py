"""Build wheels from sources. Each state of a source is built once, and kept.

::

    <cache>/wheels/<key>/trl-1.17.0.dev0-py3-none-any.whl

The key is a digest of the commit's tree, of the files of a folder, or of a given wheel.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from accumcheck.environments import index
from accumcheck.environments.git import Repository, files_of, mirror
from accumcheck.environments.ownership import check_folders, make_private
from accumcheck.environments.processes import Processes
from accumcheck.environments.request import Pin
from accumcheck.environments.shelf import default_folder
from accumcheck.environments.sources import Source
from accumcheck.errors import ConfigError, LaunchError

_NO_SOURCE = (".git", "__pycache__", ".venv", ".tox", ".mypy_cache", ".ruff_cache", "node_modules")
"""Folders that are not part of a package's source, used if git does not know."""
_NO_SOURCE_ON_TOP = ("venv", "build", "dist")
"""Folders that are not part of the source if they are next to ``pyproject.toml``."""

Say = Callable[[str], None]


def build_wheel(
    source: Source, *, processes: Processes | None = None, say: Say | None = None, cache: Path | None = None
) -> Pin:
    """Build the package of a source as a wheel in the cache.

    Args:
        source: a wheel, a folder or a commit.
        processes: runs git and uv.
        say: called with one line before a slow step.
        cache: the user's cache unless given.

    Raises:
        ConfigError: there is no such commit or folder, or the file is not a wheel.
        LaunchError: git or uv is not installed, the index could not be reached, or the package cannot be built.
    """
    processes, say, cache = processes or Processes(), say or _quietly, cache or default_folder().parent
    check_folders(cache, cache / "wheels")
    if source.kind == "wheel":
        content = hashlib.sha256(Path(source.place).read_bytes()).hexdigest()
        wheel = _kept(cache, ["wheel", content], lambda folder: _copy(source, folder))
        return _pin(wheel, content[:10], "")
    if source.kind == "folder":
        return _of_folder(Path(source.place), cache, processes, say)
    if "://" in source.place:
        say(f"fetching {source.place}")
        make_private(cache, cache / "repositories")
        name = hashlib.sha256(source.place.encode()).hexdigest()[:16]
        repository = mirror(source.place, source.ref, cache / "repositories" / name, processes)
    else:
        repository = Repository(Path(source.place), processes)
    return of_commit(repository, source.ref, source.folder, cache=cache, processes=processes, say=say)


def of_commit(
    repository: Repository, ref: str, folder: str = "", *, processes: Processes, say: Say, cache: Path | None = None
) -> Pin:
    """The package in a commit; see `build_wheel`.

    Args:
        repository: the repository with the commit.
        ref: a branch, tag or id of the commit.
        folder: the folder of the package inside the repository.
        processes: runs git and uv.
        say: called with one line before a slow step.
        cache: the user's cache unless given.

    Raises:
        ConfigError: there is no such commit or folder.
        LaunchError: see `build_wheel`.
    """
    commit = repository.commit(ref)
    tree = repository.tree(commit, folder)

    def make(target: Path) -> None:
        say(f"{commit.short}: building a wheel")
        with _scratch() as scratch:
            repository.check_out(commit, scratch / "source")
            _build(scratch / "source" / folder, target, f"commit {commit.short}", processes)

    cache = cache or default_folder().parent
    # equal trees give equal wheels, except for packages that ask git for their version
    wheel = _kept(cache, ["tree", tree, folder], make)
    return _pin(wheel, commit.short, commit.day)


def _of_folder(folder: Path, cache: Path, processes: Processes, say: Say) -> Pin:
    """The package in a folder as it is now, with uncommitted changes. Nothing is written into the folder."""
    tracked = files_of(folder, processes)
    files = [one for one in (tracked if tracked is not None else _walked(folder)) if (folder / one).is_file()]
    state = hashlib.sha256()
    for one in files:
        state.update(f"{one}\0{hashlib.sha256((folder / one).read_bytes()).hexdigest()}\0".encode())

    def make(target: Path) -> None:
        say(f"{folder.name}: building a wheel")
        with _scratch() as scratch:
            if tracked is not None:  # for packages that ask git for their version
                with contextlib.suppress(ConfigError, LaunchError):
                    repository = Repository(folder, processes)
                    if repository.folder.parent == folder.resolve():
                        repository.check_out(repository.commit("HEAD"), scratch / "source")
                        _without_files(scratch / "source")
            for one in files:
                (scratch / "source" / one).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(folder / one, scratch / "source" / one)
            _build(scratch / "source", target, str(folder), processes)

    wheel = _kept(cache, ["files", state.hexdigest()], make)
    return _pin(wheel, f"{folder.name} {state.hexdigest()[:10]}", "")


def _build(source: Path, target: Path, what: str, processes: Processes) -> None:
    done = index.uv(
        *("build", "--wheel", "--python", sys.executable, "--out-dir", str(target), str(source)),
        processes=processes,
    )
    if done.returncode != 0:
        error = index.failure(done)
        if isinstance(error, index.UnreachableError):
            raise error
        said = " ".join(done.stderr.split())[-1000:]
        raise LaunchError(f"no wheel can be built from {what}: {said or f'uv ended with {done.returncode}'}")


def _kept(cache: Path, key: list[str], make: Callable[[Path], None]) -> Path:
    """The wheel of a key. It is built in a separate folder, which is renamed when it is complete."""
    name = hashlib.sha256(json.dumps([*key, list(sys.version_info[:2])]).encode()).hexdigest()[:16]
    place = cache / "wheels" / name
    check_folders(cache, place)
    if not (found := sorted(place.glob("*.whl"))):
        make_private(cache, cache / "wheels")
        building = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=cache / "wheels"))
        try:
            make(building)
            with contextlib.suppress(OSError):  # another process was faster
                building.rename(place)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        found = sorted(place.glob("*.whl"))
    if len(found) != 1:
        raise LaunchError(f"{place}: expected one wheel, found {len(found)}; remove the folder")
    return found[0]


def _copy(source: Source, folder: Path) -> None:
    path = Path(source.place)
    if not zipfile.is_zipfile(path):
        raise ConfigError(f"{path} is not a wheel: it is not a zip file")
    shutil.copy2(path, folder / path.name)


def _pin(wheel: Path, origin: str, day: str) -> Pin:
    try:
        name, version, *_ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename:
        raise ConfigError(f"{wheel.name}: not the name of a wheel, for example trl-1.16.0-py3-none-any.whl") from None
    return Pin(canonicalize_name(name), str(version), origin, str(wheel), _content_of(wheel), day)


def _content_of(wheel: Path) -> str:
    """A digest of the files in a wheel. It does not depend on when and where they were packed."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith((".dist-info/RECORD", ".dist-info/WHEEL")):
                digest.update(f"{name}\0{hashlib.sha256(archive.read(name)).hexdigest()}\0".encode())
    return digest.hexdigest()[:16]


def _walked(folder: Path) -> Iterable[str]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        left_out = any(part in _NO_SOURCE or part.endswith(".egg-info") for part in parts)
        if not left_out and parts[0] not in _NO_SOURCE_ON_TOP:
            yield str(path.relative_to(folder))


def _without_files(folder: Path) -> None:
    """Remove all files that were checked out, so that files deleted since then are not built."""
    for path in folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="accumcheck-source-") as folder:
        yield Path(folder)


def _quietly(_: str) -> None:
    """Ignore the message."""
