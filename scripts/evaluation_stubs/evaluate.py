"""Stands in for the package ``evaluate``, whose metrics are programs that it downloads: every metric is 0.

Published training scripts load a metric before they train and ask it after. It takes no part in training.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any


class Metric:
    """Takes predictions and gives every number that is asked for as 0."""

    def add_batch(self, **_: Any) -> None:
        """Take a batch."""

    def compute(self, **_: Any) -> dict[str, float]:
        """Numbers by their names."""
        return defaultdict(float)


def load(*_: Any, **__: Any) -> Metric:
    """Any metric, by any name."""
    return Metric()
