"""Reports in files: which format, whether it can be written, and all or nothing."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.record import Finding
from accumcheck.report import check_writable
from accumcheck.saved.reports import report_to_json

from . import examples, written
from .written import show, write


def test_show_prints_the_format_asked_for() -> None:
    stream = io.StringIO()
    show(examples.llava_449(), "json", stream)
    assert stream.getvalue() == report_to_json(examples.llava_449())


@pytest.mark.parametrize("name", ["markdown", "junit", "github"])
def test_what_the_streams_encoding_lacks_is_escaped(name: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    finding = Finding("x", "fail", (), "Größe")
    show(replace(examples.clean(), findings=(finding,)), name, stream)
    escaped = {"junit": b"Gr&#246;&#223;e"}.get(name, b"Gr\\xf6\\xdfe")
    assert escaped in stream.buffer.getvalue()


def test_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")
    path.chmod(0o640)
    write(examples.clean(), path)
    assert path.read_text() == written.text(examples.clean(), "table")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_write_follows_a_link(tmp_path: Path) -> None:
    link, target = tmp_path / "latest.json", tmp_path / "first.json"
    link.symlink_to(target)
    write(examples.clean(), link)
    assert link.is_symlink()
    assert target.read_text() == report_to_json(examples.clean())


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(AccumcheckError, match=r"report\.json: the report could not be written: No space left"):
        write(examples.clean(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_check_writable_changes_nothing(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text("old")
    check_writable([old, tmp_path / "new.json", tmp_path / "new.txt"])
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_text() == "old"


def test_check_writable_names_all_obstacles_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    names = ["missing/r.json", "folder.json", "r.pdf", "pipe.json", f"{'r' * 300}.json", "loop.json", "fine.json"]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError) as caught:
        check_writable([tmp_path / name for name in names])
    lines = [line.removeprefix(f"{tmp_path}{os.sep}") for line in str(caught.value).splitlines()]
    assert lines[:4] == [
        f"missing/r.json: the folder {tmp_path / 'missing'} does not exist; create it first",
        "folder.json: is a folder; name a file in it",
        "r.pdf: no report format has the extension .pdf; use .txt, .html, .json, .xml, .md or .sarif",
        "pipe.json: is not a regular file; what is written would replace it",
    ]
    assert lines[4].endswith(".json: cannot be written: File name too long")
    assert lines[5].startswith("loop.json: cannot be written: ")
    assert len(lines) == 6
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0 or sys.platform == "win32", reason="root may write everywhere")
def test_check_writable_refuses_what_may_not_be_written(tmp_path: Path) -> None:
    folder, locked = tmp_path / "folder", tmp_path / "locked.json"
    folder.mkdir()
    folder.chmod(0o555)
    locked.touch()
    locked.chmod(0o444)
    with pytest.raises(ConfigError) as caught:
        check_writable([folder / "r.json", locked])
    folder.chmod(0o755)
    assert str(caught.value).splitlines() == [
        f"{folder / 'r.json'}: cannot be written: Permission denied",
        f"{locked}: cannot be written: Permission denied",
    ]


def test_names_of_formats_are_known_before_any_format_is_needed() -> None:
    code = (
        "import sys, accumcheck.report.registry; "
        "sys.exit(bool({'rich', 'jinja2', 'junitparser', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reports_import_no_training_stack() -> None:
    code = (
        "import sys, accumcheck.report, accumcheck.report.progress, accumcheck.saved.reports; "
        "sys.exit(bool({'torch', 'transformers', 'accelerate', 'accumcheck.launch'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
