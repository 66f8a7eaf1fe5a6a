"""A reader that goes away changes no exit code."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from accumcheck.report import show
from tests.report import examples


@pytest.mark.parametrize("name", ["table", "json", "markdown"])
def test_a_closed_pipe_is_no_error(name: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    report = examples.clean()
    many = replace(report, findings=report.findings * 2000)  # more than any buffer holds
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        show(many, name, stream)
