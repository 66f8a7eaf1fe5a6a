"""The same measurement of several items, in threads."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

from accumcheck.judge.measure import each as module
from accumcheck.judge.measure.each import each


def test_results_are_in_the_order_of_the_items_however_long_each_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 2)
    second_is_done = threading.Event()

    def measure(item: int) -> int:
        if item == 1:
            assert second_is_done.wait(30)  # so they run side by side
        else:
            second_is_done.set()
        return 10 * item

    assert each(measure, [1, 2]) == [10, 20]
    assert each(measure, []) == []


def test_a_thread_is_as_quiet_as_the_judge() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert each(lambda item: float(np.float64(item) / np.float64(0.0)), [1.0, -1.0]) == [np.inf, -np.inf]


def test_an_error_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        each(lambda item: 1 / item, [1, 0])
