"""What is told of the error that ended a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.errors import ConfigError, MissingPackageError, RefusedError, UnsupportedError, WorkloadError
from accumcheck.record import Reason
from accumcheck.runfolder.failures import describe, has_errors, read_errors, reason_of, write_error
from accumcheck.runfolder.job import Failure


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


class OutOfMemoryError(RuntimeError):
    """As torch has one for GPUs."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnsupportedError("no head"), Reason("unsupported", "no head")),
        (MissingPackageError("install trl"), Reason("missing-package", "install trl")),
        (RefusedError("the weights moved"), Reason("refused", "the weights moved")),
        (ConfigError("no such key"), Reason("refused", "no such key")),
        (WorkloadError("no config.json"), Reason("crashed", "no config.json")),
        (ZeroDivisionError("by zero"), Reason("crashed", "ZeroDivisionError: by zero")),
        (
            ModuleNotFoundError("No module named 'timm'"),
            Reason("missing-package", "ModuleNotFoundError: No module named 'timm'"),
        ),
        (OutOfMemoryError("tried 99 GiB"), Reason("out-of-memory", "out of memory: tried 99 GiB")),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            Reason(
                "out-of-memory",
                "out of memory: DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
            ),
        ),
    ],
)
def test_a_reason_has_its_kind(tmp_path: Path, error: Exception, reason: Reason) -> None:
    assert reason_of(error, tmp_path) == reason


def test_an_error_that_words_another_has_that_ones_kind(tmp_path: Path) -> None:
    worded = WorkloadError("./llama: out of memory while building the model")
    worded.__cause__ = MemoryError()
    assert reason_of(worded, tmp_path) == Reason("out-of-memory", "./llama: out of memory while building the model")
    worded.__cause__ = ImportError("this model requires the timm library")
    assert reason_of(worded, tmp_path).kind == "missing-package"


def test_the_causes_that_workers_leave_are_read_the_earliest_first(tmp_path: Path) -> None:
    assert not has_errors(tmp_path)
    write_error(tmp_path, 1, RefusedError("first"), common=True)
    assert has_errors(tmp_path)
    write_error(tmp_path, 0, ValueError("second"), common=False)
    assert read_errors(tmp_path) == [
        Failure(Reason("refused", "first"), common=True),
        Failure(Reason("crashed", "ValueError: second"), common=False),
    ]
