"""No space left: on a real, small device where this user may mount one."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from accumcheck.errors import WorkloadError
from accumcheck.record import Reason
from accumcheck.runfolder.events import EventFollower, EventLog, Started
from accumcheck.runfolder.failures import reason_of
from accumcheck.runfolder.of_reference import open_gradients
from accumcheck.runfolder.space import full_device, is_no_space, no_space


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    """A device of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small device can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(device: Path) -> None:
    with (device / "fill").open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(4096))


def test_a_full_device_is_named_with_its_mount_point(device: Path) -> None:
    (device / "deep").mkdir()
    assert full_device(device / "deep") is None
    fill(device)
    assert full_device(device / "deep") == (
        f"no space left on the device mounted at {device} (0 bytes of 256 KiB free), where the run keeps its files; "
        "free some, or set TMPDIR to a folder on another device"
    )


def test_space_for_an_array_is_there_or_said_to_be_missing_before_it_is_written(device: Path) -> None:
    small = open_gradients(device, 10, 100, double=True)
    small[:] = 1.0
    with pytest.raises(OSError, match="No space left") as raised:
        open_gradients(device, 1000, 100, double=True)  # 800 kB
    assert reason_of(raised.value, device) == Reason("crashed", no_space(device))


def emit_forever(log: EventLog) -> None:
    while True:
        log.emit(Started("x" * 3000))


def test_of_an_event_that_was_cut_short_the_writer_hears_and_the_reader_does_not(device: Path) -> None:
    log, follower = EventLog(device), EventFollower(device)
    with pytest.raises(OSError, match="No space left"):
        emit_forever(log)
    found = list(follower.new())
    assert 50 < len(found) < 100
    assert set(found) == {Started("x" * 3000)}


def test_an_error_that_came_from_a_full_device_is_known_by_its_number() -> None:
    caused = RuntimeError("the file could not be written")
    caused.__cause__ = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    assert is_no_space(caused)
    assert not is_no_space(OSError(errno.ENOENT, "no such file"))
    assert not is_no_space(RuntimeError("no space left"))


def test_on_a_full_device_other_errors_are_its_doing_but_not_what_we_say_ourselves(device: Path) -> None:
    fill(device)
    assert reason_of(OSError("4096 requested and 0 written"), device).text == no_space(device)  # numpy has no number
    assert reason_of(WorkloadError("no such model"), device).text == "no such model"
