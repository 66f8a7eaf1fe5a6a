"""Functions for a user's own training loop. Outside a check they do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import SupportsFloat

_listeners: list[Callable[[float], None]] = []


def report_loss(loss: SupportsFloat) -> None:
    """Report the loss of one optimizer step, as your log shows it. Call it once a step, before or after the optimizer.

    accumcheck reads Trainer's log itself. It cannot find the log of a user's own loop, so the loop reports it here::

        from accumcheck import report_loss
        report_loss(loss)
    """
    for listener in _listeners:
        listener(float(loss))


def listen(listener: Callable[[float], None]) -> Callable[[], None]:
    """Call the listener with every loss that is reported in this process; returns a function that removes it."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)
