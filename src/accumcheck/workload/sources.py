"""Read rows of text from a JSON Lines file or a data set of the ``datasets`` library, each with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accumcheck.errors import MissingPackageError, WorkloadError
from accumcheck.workload.causes import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.config.model import DatasetSource

Row = tuple[str, dict[str, Any]]
"""The place of a row (``file:line`` or ``name[split] row i``), and its columns."""


def jsonl_rows(path: str) -> Iterator[Row]:
    """The rows of a JSON Lines file, without blank lines.

    Raises:
        WorkloadError: the file cannot be read, or a line is not a JSON object.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WorkloadError(f"data.jsonl: cannot read {path}: {reason}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise WorkloadError(f"{path}:{number}: not JSON: {error.msg} at column {error.colno}") from error
        if not isinstance(row, dict):
            raise WorkloadError(f"{path}:{number}: expected a JSON object, found {type(row).__name__}")
        yield f"{path}:{number}", row


def dataset_rows(source: DatasetSource) -> Iterator[Row]:
    """The rows of one data split: of a folder from ``save_to_disk``, a folder of data files, or a hub id.

    Raises:
        WorkloadError: ``datasets`` is not installed, or the data set or its split cannot be loaded.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingPackageError(
            "data.dataset needs the datasets library: pip install 'accumcheck[datasets]' (or use data.jsonl)"
        ) from error
    folder = Path(source.name_or_path).expanduser()
    saved = (folder / "state.json").exists() or (folder / "dataset_dict.json").exists()
    try:
        if saved:
            data = datasets.load_from_disk(str(folder))
        else:
            data = datasets.load_dataset(
                source.name_or_path, name=source.name, split=source.split, revision=source.revision
            )
    except Exception as error:
        raise WorkloadError(
            f"data.dataset: cannot load {source.name_or_path} [{source.split}]: {first_line(str(error))}"
        ) from error
    if isinstance(data, dict):
        if source.split not in data:
            raise WorkloadError(
                f"data.dataset: {source.name_or_path} has no split {source.split!r}; it has {', '.join(sorted(data))}"
            )
        data = data[source.split]
    for number, row in enumerate(data):
        yield f"{source.name_or_path}[{source.split}] row {number}", dict(row)
