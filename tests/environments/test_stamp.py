"""What an environment says of itself is read as what anyone may have written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from accumcheck.cli import main
from accumcheck.cli.environments import _moment
from accumcheck.environments.shelf import Shelf
from accumcheck.environments.stamp import MOST_BYTES, STAMP, BrokenStampError, read_stamp, write_stamp

GOOD = {"releases": {"transformers": "4.49.0"}, "packages": {"numpy": "1.26.4"}, "base": "/usr/bin/python3", "size": 7}
BROKEN = {
    "a list": (b"[]", "not a mapping"),
    "null": (b"null", "not a mapping"),
    "a number": (b"7", "not a mapping"),
    "empty": (b"", "not JSON"),
    "cut off": (json.dumps(GOOD).encode()[:-9], "not JSON"),
    "not UTF-8": (b'{"base": "\xff"}', "not UTF-8"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "deep and closed": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    "huge": (b" " * (MOST_BYTES + 1), "larger than"),
    "a huge number": (json.dumps(GOOD).replace(": 7", ": 1" + "0" * 5000).encode(), "not JSON|has no size"),
    "nothing in it": (b"{}", "has no size"),
    "size is text": (json.dumps({**GOOD, "size": "7"}).encode(), "has no size"),
    "size is negative": (json.dumps({**GOOD, "size": -7}).encode(), "has no size"),
    "size is true": (json.dumps({**GOOD, "size": True}).encode(), "has no size"),
    "size is infinite": (json.dumps({**GOOD, "size": float("inf")}).encode(), "has no size"),
    "releases is a list": (json.dumps({**GOOD, "releases": ["transformers"]}).encode(), "has no releases"),
    "a release is null": (json.dumps({**GOOD, "releases": {"transformers": None}}).encode(), "has no releases"),
    "packages is null": (json.dumps({**GOOD, "packages": None}).encode(), "has no packages"),
    "base is a number": (json.dumps({**GOOD, "base": 3}).encode(), "has no base"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "cache"))
    place = Shelf().folder / "transformers-4.49.0-0123456789"
    place.mkdir(parents=True)
    return place


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_stamp(tmp_path, {**GOOD, "more": 1})
    found = read_stamp(tmp_path)
    assert (found.releases, found.packages, found.base, found.size) == (
        {"transformers": "4.49.0"},
        {"numpy": "1.26.4"},
        "/usr/bin/python3",
        7,
    )


@pytest.mark.parametrize(("content", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_one_is_listed_and_pruned(
    place: Path, content: bytes, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / STAMP).write_bytes(content)
    with pytest.raises(BrokenStampError, match=why):
        read_stamp(place)
    assert main(["environments", "list"]) == 0
    out = capsys.readouterr().out
    assert "transformers-4.49.0-0123456789" in out
    assert f"broken: {STAMP} " in out
    assert main(["environments", "list", "--format", "json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert not entry["complete"]
    assert entry["broken"].startswith(STAMP)
    assert main(["environments", "prune"]) == 0
    assert capsys.readouterr().out.startswith("removed transformers-4.49.0-0123456789\n1 removed")
    assert not place.exists()


@pytest.mark.parametrize("kind", ["missing", "a folder", "a pipe", "a link", "a link to nowhere"])
def test_no_file_at_all(place: Path, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if kind == "a folder":
        (place / STAMP).mkdir()
    elif kind == "a pipe":
        os.mkfifo(place / STAMP)
    elif kind.startswith("a link"):
        if kind == "a link":
            (tmp_path / "elsewhere").write_text(json.dumps(GOOD))
        (place / STAMP).symlink_to(tmp_path / "elsewhere")
    assert main(["environments", "list"]) == 0
    assert f"broken: {STAMP} " in capsys.readouterr().out
    assert main(["environments", "prune"]) == 0
    assert not place.exists()
    assert (tmp_path / "elsewhere").exists() == (kind == "a link")


def test_a_time_that_no_calendar_has_is_none() -> None:
    assert _moment(0.0) == "1970-01-01T00:00:00+00:00"
    assert [_moment(seconds) for seconds in (2.0**40, -(2.0**40), float("inf"), float("nan"))] == [None] * 4


def test_names_that_no_screen_can_show(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = {"releases": {"a\x1b[2J\nb\ud800": "1\r2"}, "packages": {}, "base": "\x07", "size": 2**62}
    (place / STAMP).write_text(json.dumps(hostile))
    os.utime(place / STAMP, (2**33, 2**33))
    assert main(["environments", "list"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 4
    assert main(["environments", "list", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["releases"] == hostile["releases"]
    strange = place.with_name(os.fsdecode(b"x\xff\n-0123456789"))
    strange.mkdir()
    assert main(["environments", "list"]) == 0
    assert main(["environments", "prune", "--all"]) == 0
    assert not strange.exists()
