"""The imports of accumcheck's modules, read from their text: nothing is imported to find them.

What counts is what can run: an import inside a function does, one under ``TYPE_CHECKING`` does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "accumcheck"


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module. ``at_once``: when its importer is imported; else when a function of it is called."""

    importer: str
    line: int
    module: str
    at_once: bool

    def __str__(self) -> str:
        return f"{self.importer} (line {self.line}) imports {self.module}"


def imports_of(text: str, importer: str = "module") -> list[Import]:
    """Every import of a module's text that can run.

    ``from a import b`` counts as ``a.b``: b may be a module, and if it is not, `room_of` and prefixes are the same.
    """
    return [
        Import(importer, node.lineno, module, at_once)
        for node, at_once in _statements(ast.parse(text), at_once=True)
        for module in _modules(node)
    ]


def all_imports(source: Path) -> dict[str, list[Import]]:
    """By module, every import of the package that lies in ``source``."""
    found = {}
    for path in sorted((source / PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
        found[name] = imports_of(path.read_text(encoding="utf-8"), name)
    return found


def room_of(module: str) -> str | None:
    """The folder or file of accumcheck's that a module is in; None for what is not ours, and for the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else None


def is_in(module: str, *packages: str) -> bool:
    """Whether a module is one of the packages, or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _statements(tree: ast.AST, *, at_once: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, at_once
        elif isinstance(node, ast.If) and _asks_for_type_checking(node.test):
            for other in node.orelse:
                yield from _statements(ast.Module([other], []), at_once=at_once)
        else:
            in_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _statements(node, at_once=at_once and not in_function)


def _asks_for_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level:
        raise ValueError(f"line {node.lineno}: a relative import; write the module's whole name")
    return [f"{node.module}.{alias.name}" for alias in node.names]
