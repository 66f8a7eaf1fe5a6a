"""The folders of a run, and the files in them that do not belong to a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig

REFERENCE = "reference"
"""The name of the reference's job and folder. Other jobs are splits, in their short form."""
RUN_FOLDER = "ACCUMCHECK_RUN"
"""The environment variable that names the run's folder to the processes that the conductor starts."""
UNUSED = "ACCUMCHECK_UNUSED"
"""The environment variable that names the packages that workers do without, separated by spaces."""
_PLAN = "plan.json"
_WORKLOAD_BEGUN = "workload-begun"


def write_plan(run: Path, check: CheckConfig) -> None:
    """Write the resolved configuration into the run's folder."""
    (run / _PLAN).write_text(json.dumps(check.to_dict()), encoding="utf-8")


def read_plan(kind: type[CheckConfig], run: Path) -> CheckConfig:
    """The configuration that `write_plan` wrote, as a ``kind``: this package does not import the configuration."""
    return kind.from_dict(json.loads((run / _PLAN).read_text(encoding="utf-8")))


def begin_workload(run: Path) -> bool:
    """Note that a fork server begins to make the workload, which may end it; returns whether none had begun before."""
    try:
        (run / _WORKLOAD_BEGUN).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def logs_of(run: Path, job: str) -> Path:
    """The folder with the output of every process of a job."""
    return run / job / "logs"


def has_logs(logs: Path) -> bool:
    """Whether a process of a job was started: before, torchrun's agent only makes folders there; see `logs_of`."""
    return any(path.is_file() for path in logs.rglob("*"))


def split_folders(run: Path) -> list[Path]:
    """The folders of the splits that have been started, by name."""
    return [folder for folder in sorted(run.iterdir()) if folder.is_dir() and _is_split(folder.name)]


def _is_split(name: str) -> bool:
    from accumcheck.record import Split  # not above: the conductor imports this before it does anything

    try:
        Split.parse(name)
    except ValueError:
        return False
    return True
