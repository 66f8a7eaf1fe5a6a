"""Sources of a package other than a release: a wheel, a folder, or a commit of a git repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from accumcheck.errors import ConfigError

_NAMED = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*@\s*(\S.*?)\s*")
_REMOTE = ("https", "http", "ssh")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a package comes from.

    ``name``: the canonical name; empty if it is not known. ``place``: the path of the wheel, the folder or the
    repository, or the address of a repository. ``ref``: a branch, tag or commit. ``folder``: the folder of the package
    inside the repository.
    """

    kind: Literal["wheel", "folder", "commit"]
    place: str
    name: str = ""
    ref: str = ""
    folder: str = ""


def is_source(text: str) -> bool:
    """Whether a text names a wheel, a folder or a repository rather than a release."""
    text = text.strip()
    return bool(_NAMED.fullmatch(text)) or text.startswith(("git+", "file:", ".", "/", "~")) or text.endswith(".whl")


def read_source(text: str) -> Source:
    """Read ``name @ ./checkout``, ``name @ git+file:///path@ref``, ``dist/name-1.0-py3-none-any.whl`` and the like.

    Paths start from the working directory.

    Raises:
        ConfigError: the path does not exist, or the text is none of these.
    """
    named = _NAMED.fullmatch(text)
    name, where = (canonicalize_name(named[1]), named[2]) if named else ("", text.strip())
    if where.startswith("git+"):
        return _repository(where.removeprefix("git+"), name)
    path = Path(unquote(urlsplit(where).path) if where.startswith("file:") else where).expanduser().absolute()
    if path.suffix == ".whl" and path.is_file():
        return Source("wheel", str(path), name)
    if path.is_dir():
        if not any((path / file).is_file() for file in ("pyproject.toml", "setup.py")):
            raise ConfigError(f"{path} has no pyproject.toml or setup.py; give the folder of a package's source")
        return Source("folder", str(path), name)
    found = "is a file, but not a wheel" if path.exists() else "does not exist"
    raise ConfigError(f"{path} {found}; give a wheel, a folder with pyproject.toml, or git+file:///path@ref")


def _repository(address: str, name: str) -> Source:
    """Read ``file:///path@ref#subdirectory=folder``. Everything after the path is optional."""
    address, _, fragment = address.partition("#")
    match = re.fullmatch(r"subdirectory=(?P<folder>[^&]+)", fragment)
    if fragment and match is None:
        raise ConfigError(f"#{fragment}: expected #subdirectory=FOLDER")
    folder = match["folder"].strip("/") if match else ""
    scheme = urlsplit(address).scheme
    head, _, tail = address.rpartition("/")
    last, _, ref = tail.partition("@")
    place = f"{head}/{last}"
    if scheme in _REMOTE:
        return Source("commit", place, name, ref or "HEAD", folder)
    if scheme not in ("", "file"):
        raise ConfigError(f"git+{scheme}: expected git+file:///path@ref, or git+https://host/path@ref")
    path = Path(unquote(urlsplit(place).path) if scheme else place).expanduser().absolute()
    return Source("commit", str(path), name, ref or "HEAD", folder)
