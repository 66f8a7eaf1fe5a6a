"""A made-up history: what the check comes to under each release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from accumcheck.record import Report
from accumcheck.record.bisection import Tried
from tests.report import examples


def passing(rule: str = "token-mean") -> Report:
    return replace(examples.clean(), loss_rule=rule, gradient_rule=rule)


def failing(loss: str | None, gradient: str | None = None) -> Report:
    return replace(examples.llava_449(), loss_rule=loss, gradient_rule=gradient or loss)


History = Mapping[str, Report | str]


class Ladder:
    """Tries releases of the history, and notes which; a text in place of a report is why there is none."""

    def __init__(self, history: History) -> None:
        self.history, self.tried = history, list[str]()

    def __call__(self, release: str) -> Tried:
        assert release not in self.tried, "a release is tried once"
        self.tried.append(release)
        found = self.history[release]
        return Tried(release, None, found, 1.0) if isinstance(found, str) else Tried(release, found, seconds=1.0)
