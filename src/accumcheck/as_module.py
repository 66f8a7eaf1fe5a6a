"""Running a module of accumcheck in another process, without what lies in the working directory."""

from __future__ import annotations

from collections.abc import Sequence

_PROGRAM = """
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
import runpy
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def module_command(python: str, module: str, arguments: Sequence[str] = ()) -> list[str]:
    """The command line that runs a module as ``python -m`` does, but never imports from the working directory.

    There, a file such as ``accelerate.py`` would replace the installed package, and its code would be run, for example
    in the checkout of a fork. ``python -P -m`` does the same from Python 3.11 on.

    Args:
        python: the interpreter.
        module: its name.
        arguments: its command line.
    """
    return [python, "-c", _PROGRAM, module, *arguments]
