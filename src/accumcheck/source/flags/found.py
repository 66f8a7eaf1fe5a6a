"""All flags of a program, however they are declared."""

from __future__ import annotations

from collections.abc import Sequence

from accumcheck.source.files import SourceFile
from accumcheck.source.flags.flag import Flag
from accumcheck.source.flags.of_calls import flags_of_calls
from accumcheck.source.flags.of_classes import flags_of_classes
from accumcheck.source.flags.of_functions import flags_of_functions
from accumcheck.source.flags.of_globals import flags_of_globals


def flags_in(files: Sequence[SourceFile]) -> tuple[Flag, ...]:
    """The flags that a program's files declare, each once. The first file, the script, takes precedence."""
    trees = [file.tree for file in files if file.tree is not None]
    found = [
        *(flag for tree in trees for flag in flags_of_calls(tree)),
        *flags_of_classes(trees),
        *flags_of_functions(trees),
        *(flag for file in files[:1] for flag in flags_of_globals(file)),
    ]
    return tuple({flag.name: flag for flag in reversed(found)}.values())[::-1]
