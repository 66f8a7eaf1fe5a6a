"""What a training loop of one's own can tell accumcheck; in any other run it does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import SupportsFloat

_listeners: list[Callable[[float], None]] = []


def report_loss(loss: SupportsFloat) -> None:
    """Report the loss of one optimizer step, as your log shows it: once a step, before or after the optimizer's.

    Trainer's log is read without it. A loop has no log that could be found, and so says it here::

        from accumcheck import report_loss
        report_loss(loss)
    """
    for listener in _listeners:
        listener(float(loss))


def listen(listener: Callable[[float], None]) -> Callable[[], None]:
    """Call the listener with every loss that is reported in this process; what is returned ends that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)
