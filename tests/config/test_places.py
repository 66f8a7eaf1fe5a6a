"""The lines that reports point at."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.places import config_file
from accumcheck.record import ConfigFile

CHECK = """\
base_model: gpt2
train_batch_size: 8

splits:
  - 1x8x1
  - {n: 2, b: 2, k: 2}
  - num_processes: 4
    per_device_train_batch_size: 1
    gradient_accumulation_steps: 2
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "check.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_split_has_the_line_it_stands_on(tmp_path: Path) -> None:
    path = written(tmp_path, CHECK)
    assert config_file(path) == ConfigFile(str(path), 4, {"1x8x1": 5, "2x2x2": 6, "4x1x2": 7})


def test_splits_on_one_line_have_that_line(tmp_path: Path) -> None:
    found = config_file(written(tmp_path, "model: {name_or_path: gpt2}\nsplits: [1x8x1, 1x2x4]\n"))
    assert (found.line, found.splits) == (2, {"1x8x1": 2, "1x2x4": 2})


@pytest.mark.parametrize(
    ("text", "overrides", "line"),
    [
        (CHECK, ["splits=[1x8x1, 1x4x2]"], 4),
        ("# auto\nmodel: {name_or_path: gpt2}\nsplits: auto\n", [], 3),
        ("# none\nmodel:\n  name_or_path: gpt2\n", ["splits=[1x8x1]"], 2),
        ("# neither\nseed: 1\n", ["splits=[1x8x1]"], 1),
    ],
)
def test_splits_that_stand_nowhere_point_at_the_nearest_key(
    tmp_path: Path, text: str, overrides: list[str], line: int
) -> None:
    found = config_file(written(tmp_path, text), overrides)
    assert (found.line, found.splits) == (line, {})


@pytest.mark.parametrize("text", ["", "- a list", "{broken"])
def test_what_cannot_be_read_again_has_its_first_line(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    assert config_file(path) == ConfigFile(str(path), 1, {})
    gone = tmp_path / "gone.yaml"
    assert config_file(gone) == ConfigFile(str(gone), 1, {})
