"""Whether anything passes the split's numbers to the user's script, as far as can be seen without running it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck.declare.placeholders import OF_SPLIT, PRODUCT, names_in
from accumcheck.record.split import SPLIT_ALIASES
from accumcheck.source.files import files_of, module_in, text_of
from accumcheck.source.names import makes_training_arguments
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
    text = text_of(file)
    written = (line.strip(" -{,").partition(":")[0].strip(" '\"") for line in text.replace(",", "\n").splitlines())
    return not text or any(name in names for name in written) or any(name in OF_SPLIT for name in names_in(text))


def _makes_arguments(start: Path) -> bool:
    """Whether a script, or a neighbouring file that it imports, names a class or a parser of training arguments."""
    # nothing is known about a file that Python cannot read; the run will show it
    return any(file.tree is None or makes_training_arguments([file.tree]) for file in files_of(start))


def _file_of(module: str) -> Path | None:
    """The file that ``python -m`` would run, without importing the packages that it is in."""
    for folder in (Path.cwd(), *map(Path, sys.path)):
        main = module_in(folder, f"{module}.__main__")
        if (found := main or module_in(folder, module)) is not None:
            return found
    return None
