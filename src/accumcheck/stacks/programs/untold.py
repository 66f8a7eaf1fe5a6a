"""Whether anything passes the split's numbers to the user's script, as far as can be seen without running it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck.declare.placeholders import OF_SPLIT, PRODUCT, names_in
from accumcheck.record.split import SPLIT_ALIASES
from accumcheck.stacks.registry import stack_of_module
from accumcheck.stacks.script import ScriptConfig

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig

HOW_TO_TELL = (
    "script: {arguments: [--batch, '{per_device_train_batch_size}', --accumulate, '{gradient_accumulation_steps}']}, "
    "or by these names in a YAML file on its command line; a program that divides its accumulation steps by the number "
    f"of processes itself needs '{{{PRODUCT}}}'"
)
"""How to pass the numbers to a program without TrainingArguments; the text continues "for example"."""

_FILES = 40
"""The largest number of files that are read."""
_TRAINERS = ("transformers", "trl", "sentence_transformers", "llamafactory")
"""Packages whose trainers take their numbers from ``TrainingArguments``."""


def why_untold(check: CheckConfig) -> str:
    """The warning if nothing passes the split's numbers to a script; empty if something does, or may.

    Args:
        check: the resolved configuration, of any stack.
    """
    if check.stack != "script" or (check.splits is not None and len(check.splits) < 2):
        return ""
    script = check.own(ScriptConfig)
    if script.module is not None and stack_of_module(script.module) is not None:
        return ""
    if any(name in OF_SPLIT for word in script.arguments for name in names_in(word)):
        return ""
    if any(_answers(Path(word.rpartition("=")[2])) for word in script.arguments):
        return ""
    source = Path(script.path) if script.path is not None else _file_of(str(script.module))
    if source is None or _makes_arguments(source):
        return ""
    return (
        f"nothing seems to tell {source.name} which split to train: no argument has a placeholder, no YAML file on its "
        "command line has a key of the split, and it imports no TrainingArguments. Every split might train the same "
        f"micro-batches, which is an error. Pass it the numbers, for example {HOW_TO_TELL}"
    )


def _answers(file: Path) -> bool:
    """Whether a file on the command line is YAML in which a split's numbers would be replaced."""
    if file.suffix not in (".yaml", ".yml"):
        return False
    names = {*OF_SPLIT, *(alias for alias, name in SPLIT_ALIASES.items() if len(alias) > 1 and name in OF_SPLIT)}
    text = _text_of(file)
    written = (line.strip(" -{,").partition(":")[0].strip(" '\"") for line in text.replace(",", "\n").splitlines())
    return not text or any(name in names for name in written) or any(name in OF_SPLIT for name in names_in(text))


def _makes_arguments(start: Path) -> bool:
    """Whether a script, or a neighbouring file that it imports, names a class or a parser of training arguments."""
    waiting, seen = [start], {start}
    while waiting:
        file = waiting.pop()
        try:
            tree = ast.parse(_text_of(file))
        except (SyntaxError, ValueError):
            return True  # not known; the run will show it
        if any(map(_is_of_arguments, _names_in(tree))):
            return True
        for imported in _imported_beside(tree, start.parent, file.parent):
            if imported not in seen and len(seen) < _FILES:
                seen.add(imported)
                waiting.append(imported)
    return False


def _names_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            root = (node.module or "").partition(".")[0]
            yield from (f"{root}:{alias.name}" if root in _TRAINERS else alias.name for alias in node.names)


def _is_of_arguments(name: str) -> bool:
    package, _, own = name.rpartition(":")
    if own.endswith("TrainingArguments") or own in ("HfArgumentParser", "TrlParser"):
        return True
    return package in _TRAINERS and (own.endswith("Trainer") or (package == "trl" and own.endswith("Config")))


def _imported_beside(tree: ast.AST, *folders: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        names: Sequence[str] = ()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = node.module or ""
            names = [above, *(f"{above}.{alias.name}".strip(".") for alias in node.names)]
        for name in names:
            yield from filter(None, (_module_in(folder, name) for folder in folders))


def _file_of(module: str) -> Path | None:
    """The file that ``python -m`` would run, without importing the packages that it is in."""
    for folder in (Path.cwd(), *map(Path, sys.path)):
        main = _module_in(folder, f"{module}.__main__")
        if (found := main or _module_in(folder, module)) is not None:
            return found
    return None


def _module_in(folder: Path, name: str) -> Path | None:
    at = folder.joinpath(*name.split("."))
    return next((file for file in (at.with_suffix(".py"), at / "__init__.py") if name and file.is_file()), None)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
