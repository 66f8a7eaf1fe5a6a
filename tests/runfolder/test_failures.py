"""What is told of the error that ended a worker."""

from __future__ import annotations

from accumcheck.errors import WorkloadError
from accumcheck.runfolder.failures import describe


def test_a_first_line_that_announces_others_is_told_with_them() -> None:
    told = ValueError(
        "Please correct these values:\n- ds optimizer.params.lr=0.1 vs hf learning_rate=0.0\nWrite 'auto'."
    )
    assert describe(told) == (
        "ValueError: Please correct these values: - ds optimizer.params.lr=0.1 vs hf learning_rate=0.0 Write 'auto'."
    )


def test_of_other_errors_the_first_line_is_told() -> None:
    assert describe(ValueError("no such file\nat line 3")) == "ValueError: no such file"
    assert describe(WorkloadError("the split is too large\nfor this machine")) == "the split is too large"
    assert describe(KeyError()) == "KeyError"
    assert describe(MemoryError()) == "out of memory"
