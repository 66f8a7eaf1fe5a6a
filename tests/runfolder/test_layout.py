"""Which logs are worth naming."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.record import Reason, Split
from accumcheck.runfolder.collect import collect_splits
from accumcheck.runfolder.events import Finished
from accumcheck.runfolder.layout import has_logs, logs_of

SPLIT = Split.parse("1x4x1")


@pytest.mark.parametrize(("printed", "named"), [(None, False), ("", True), ("no data here\n", True)])
def test_logs_are_named_only_if_a_worker_was_started(tmp_path: Path, printed: str | None, named: bool) -> None:
    """A worker that was never started leaves the folders that torchrun's agent made, with nothing in them."""
    folder = logs_of(tmp_path, str(SPLIT)) / "run" / "attempt_0" / "0"
    folder.mkdir(parents=True)
    if printed is not None:
        (folder / "stderr.log").write_text(printed, encoding="utf-8")
    assert has_logs(logs_of(tmp_path, str(SPLIT))) == named
    end = Finished(str(SPLIT), "error", Reason("crashed", "killed"), 0.5)
    (seen,) = collect_splits(tmp_path, [SPLIT], [end])
    assert seen.log == (str(logs_of(tmp_path, str(SPLIT))) if named else "")


def test_a_job_that_was_not_started_has_no_logs(tmp_path: Path) -> None:
    assert not has_logs(logs_of(tmp_path, "reference"))
