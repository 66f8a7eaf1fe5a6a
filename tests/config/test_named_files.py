"""Which files a configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.load import load_config
from accumcheck.config.named_files import named_files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text("a = 1\n", encoding="utf-8")
    return path


CHECK = """
stack: script
script: {path: train.py, arguments: [--config, sft.yaml, --data=rows.txt, --output_dir, out, --steps, "{steps}"]}
global_batch_size: 8
splits: [1x8x1, 1x2x4]
training_arguments: {deepspeed: zero3.json}
"""


def test_the_named_files_a_program_and_of_its_command_line_are_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = file.parent
    monkeypatch.chdir(folder)
    for name in ("sft.yaml", "rows.txt", "zero3.json"):
        (folder / name).write_text("", encoding="utf-8")
    (folder / "out").mkdir()
    (folder / "check.yaml").write_text(CHECK, encoding="utf-8")
    found = set(named_files(load_config(folder / "check.yaml")))
    assert found == {folder / name for name in ("train.py", "sft.yaml", "rows.txt", "zero3.json")}


def test_the_data_and_the_folder_of_a_model_are_named_and_hub_ids_are_not(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "rows.jsonl").write_text("{}\n", encoding="utf-8")
    text = "model: {{name_or_path: {}}}\ndata: {{jsonl: rows.jsonl}}\nglobal_batch_size: 8\nsplits: [1x8x1]\n"
    (tmp_path / "check.yaml").write_text(text.format("./model"), encoding="utf-8")
    assert named_files(load_config(tmp_path / "check.yaml")) == [tmp_path / "model", tmp_path / "rows.jsonl"]
    (tmp_path / "check.yaml").write_text(text.format("me/model"), encoding="utf-8")
    assert named_files(load_config(tmp_path / "check.yaml")) == [tmp_path / "rows.jsonl"]


def test_the_file_of_a_function_is_named(file: Path) -> None:
    text = "stack: callable\ncallable: train.py:build\nglobal_batch_size: 8\nsplits: [1x8x1]\n"
    (file.parent / "check.yaml").write_text(text, encoding="utf-8")
    assert named_files(load_config(file.parent / "check.yaml")) == [file]
