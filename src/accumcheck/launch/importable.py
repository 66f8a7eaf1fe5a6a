"""Whether packages that a check does not use can be imported: known from an earlier run with the same installation.

A stack that cannot import them cannot train. So the first run after a change of what is installed imports all that the
stack imports; when a split has run, that is noted in the cache folder, and later runs leave these packages out.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from accumcheck.cache_folder import cache_folder


class Importable:
    """What is known of some packages.

    Args:
        packages: their names.
        python: the interpreter under test. Of another one than this, nothing is known.
        path: where it looks for modules first. If there is something, nothing is known.
    """

    def __init__(self, packages: Sequence[str], python: str, path: Sequence[str]) -> None:
        self._note: Path | None = None
        if packages and python == sys.executable and not path:
            self._installed = "\n".join(_installed(packages))
            with contextlib.suppress(RuntimeError):
                name = hashlib.sha256(os.fsencode(python)).hexdigest()[:16]
                self._note = cache_folder() / "imported" / name

    @property
    def known(self) -> bool:
        """Whether the note of an earlier run is about what is installed now."""
        with contextlib.suppress(OSError, UnicodeError):
            return self._note is not None and self._note.read_text(encoding="utf-8") == self._installed
        return False

    def note(self) -> None:
        """A run has imported them."""
        if self._note is not None:
            with contextlib.suppress(OSError, UnicodeError):  # the next run imports them again
                self._note.parent.mkdir(parents=True, exist_ok=True)
                self._note.write_text(self._installed, encoding="utf-8")


def _installed(packages: Sequence[str]) -> Iterator[str]:
    """What changes when something is installed or edited: when folders of packages, and files of these, changed."""
    yield sys.version
    given = set(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    for folder in sys.path:
        if folder in given or Path(folder).name in ("site-packages", "dist-packages"):
            with contextlib.suppress(OSError):
                yield f"{folder} {Path(folder).stat().st_mtime_ns}"
    for name in packages:
        yield f"{name} {_newest(name, '**/*.py')}"
    yield f"transformers {_newest('transformers', '*.py', 'integrations/*.py')}"  # of thousands, those that import them


def _newest(package: str, *patterns: str) -> str:
    """Where a package is, how many files match, and when the newest of them changed."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        spec = find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            folder = Path(spec.submodule_search_locations[0])
            times = [file.stat().st_mtime_ns for pattern in patterns for file in folder.glob(pattern)]
            return f"{folder} {len(times)} {max(times, default=0)}"
    return ""
