"""The files of a program: its script, and the modules next to it that it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST = 40
"""The largest number of files that are read."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file. ``tree``: None if Python cannot read it."""

    path: Path
    tree: ast.Module | None


def files_of(script: Path) -> Iterator[SourceFile]:
    """The script, then every file that is imported from the script's folder or from the importing file's folder."""
    waiting, seen = [script], {script}
    while waiting:
        file = waiting.pop(0)
        tree = _tree(file)
        yield SourceFile(file, tree)
        for imported in _neighbours_imported_by(tree, script.parent, file.parent) if tree is not None else ():
            if imported not in seen and len(seen) < MOST:
                seen.add(imported)
                waiting.append(imported)


def module_in(folder: Path, name: str) -> Path | None:
    """The file of a module or package in a folder; None if it is not there."""
    at = folder.joinpath(*name.split("."))
    return next((file for file in (at.with_suffix(".py"), at / "__init__.py") if name and file.is_file()), None)


def text_of(file: Path) -> str:
    """The text of a file; empty if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _tree(file: Path) -> ast.Module | None:
    try:
        return ast.parse(text_of(file))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _neighbours_imported_by(tree: ast.AST, *folders: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        names: Sequence[str] = ()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = node.module or ""
            names = [above, *(f"{above}.{alias.name}".strip(".") for alias in node.names)]
        for name in names:
            yield from filter(None, (module_in(folder, name) for folder in folders))
