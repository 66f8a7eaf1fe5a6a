"""Import transformers faster: it reads the source of every model's module twice, to learn which names it exports.

``transformers.utils.import_utils`` keeps what it has read of the last 128 folders alone, and there are more than 400
(4.57 to 5.24), so that the second reading, of the same folders, begins anew. Here nothing is forgotten, and each file
is searched from its end. The names that are found are the same, and the functions are put back afterwards.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

MODULE = "transformers.utils.import_utils"
_REPLACED = ("create_import_structure_from_path", "fetch__all__")


@contextlib.contextmanager
def scan_once() -> Iterator[None]:
    """Let transformers read each file once, if it is imported within."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for put_back in finder.undo:
            put_back()


class _Finder(MetaPathFinder):
    def __init__(self) -> None:
        self.undo: list[Callable[[], None]] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the one module as always, and change it when it has been executed."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == MODULE else None
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self.undo.append(remember(module))

            loader.exec_module = exec_module
        return spec


def remember(module: Any) -> Callable[[], None]:
    """Let transformers' ``import_utils`` forget nothing, and search files from their ends; what it lacks is left.

    Returns:
        A function that puts everything back.
    """
    before = {name: value for name in _REPLACED if (value := getattr(module, name, None)) is not None}
    read = getattr(getattr(module, "create_import_structure_from_path", None), "__wrapped__", None)
    if callable(read):
        module.create_import_structure_from_path = functools.cache(read)
    exported = getattr(module, "fetch__all__", None)
    if callable(exported):

        @functools.wraps(exported)
        def from_the_end(file_content: str) -> Any:
            """The last line that begins with the name is the one that counts."""
            start = file_content.rfind("\n__all__") + 1
            return exported(file_content[start:])

        module.fetch__all__ = from_the_end

    def put_back() -> None:
        vars(module).update(before)

    return put_back
