"""Imports without the garbage collector."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Import without the garbage collector, and keep it away from what was imported.

    Imports make hundreds of thousands of objects and hardly any garbage, so that collections while they run take a
    fifth of their time and free a few thousand objects. Imported modules are never freed afterwards. If the collector
    still scanned them, the first collection in a worker, which Trainer triggers, would copy the pages shared with this
    process: that takes most of a second, and the imports' memory again, for every worker.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
