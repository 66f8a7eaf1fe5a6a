"""Let a program find itself in a main process of multiprocessing, as torchrun and ``python train.py`` start it.

A worker is forked by the fork server of multiprocessing, which fixes the start method to ``forkserver`` and gives the
process a parent, a name and a number (`multiprocessing.process.BaseProcess._bootstrap`, CPython 3.10 to 3.14). Without
this, a program that calls ``set_start_method`` would be refused, and the workers of its data loader could be given
nothing that cannot be pickled, such as a collator written as a lambda.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
from itertools import count

from accumcheck.capture.patches import Patches


def become_main_process(patches: Patches) -> None:
    """From now on, this process is the main one for multiprocessing, and no start method is chosen yet.

    Args:
        patches: undo this.
    """
    process = multiprocessing.current_process()
    before = multiprocessing.get_start_method(allow_none=True)
    patches.at_end(lambda: multiprocessing.set_start_method(before, force=True))
    multiprocessing.set_start_method(None, force=True)
    patches.assign(multiprocessing.process, "_parent_process", None)
    patches.assign(multiprocessing.process, "_process_counter", count(1))
    patches.assign(process, "_name", "MainProcess")
    patches.assign(process, "_identity", ())
