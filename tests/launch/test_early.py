"""The conductor that is started with the program: used where it fits, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from accumcheck.as_module import module_command
from accumcheck.launch.early import EARLY, EarlyConductor

RUN = ["run", "check.yaml"]


@pytest.fixture
def early() -> Iterator[EarlyConductor]:
    conductor = EarlyConductor()
    yield conductor
    conductor.end()


def started_by_us() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # one that has just ended
            if "accumcheck.launch" in child.cmdline():
                found.append(child)
    return found


def order(folder: Path, *arguments: str) -> list[str]:
    return [str(folder), str(folder / "log"), *arguments]


def test_it_leads_what_it_is_given_and_writes_into_its_log(early: EarlyConductor, tmp_path: Path) -> None:
    early.start(RUN)
    (waiting,) = started_by_us()
    process = early.take(dict(os.environ) | {"TMPDIR": str(tmp_path)}, sys.executable, order(tmp_path, "/nowhere", "1"))
    assert process is not None
    assert process.pid == waiting.pid
    assert process.wait(60) != 0
    assert "No such file or directory: '/nowhere/0/plan.json'" in (tmp_path / "log").read_text(encoding="utf-8")
    early.end()  # it is not its own any more
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize("what", ["environment", "python"])
def test_it_is_ended_where_another_one_is_needed(early: EarlyConductor, tmp_path: Path, what: str) -> None:
    early.start(RUN)
    environment = dict(os.environ) | ({"PYTHONPATH": "/elsewhere"} if what == "environment" else {})
    python = "/elsewhere/python" if what == "python" else sys.executable
    assert early.take(environment, python, order(tmp_path, "/nowhere", "1")) is None
    assert started_by_us() == []
    assert early.take(dict(os.environ), sys.executable, order(tmp_path, "/nowhere", "1")) is None


def test_one_that_dies_at_that_moment_is_not_used(
    early: EarlyConductor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early.start(RUN)
    (waiting,) = started_by_us()
    process = early._process
    assert process is not None
    waiting.kill()
    process.wait()
    monkeypatch.setattr(process, "poll", lambda: None)  # as it was a moment ago
    assert early.take(dict(os.environ), sys.executable, order(tmp_path, "/nowhere", "1")) is None


def test_a_folder_may_have_any_name(early: EarlyConductor, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"not \xff utf-8,\nin two lines")
    folder.mkdir()
    early.start(RUN)
    process = early.take(dict(os.environ), sys.executable, order(folder, str(folder), "1"))
    assert process is not None
    assert process.wait(60) != 0
    assert "No such file or directory" in (folder / "log").read_text(encoding="utf-8", errors="replace")
    assert process.stdin is not None
    process.stdin.close()


def test_what_it_prints_before_it_has_a_log_is_kept(early: EarlyConductor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/ls")  # which finds no such file
    early.start(RUN)
    process = early._process
    assert process is not None
    process.wait()
    assert b"accumcheck.launch" in early.said()


def test_where_no_process_can_be_started_there_is_none(
    early: EarlyConductor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError("too many processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    early.start(RUN)
    assert early.take(dict(os.environ), sys.executable, order(tmp_path, "/nowhere", "1")) is None


def test_one_that_has_died_is_not_used(early: EarlyConductor, tmp_path: Path) -> None:
    early.start(RUN)
    (waiting,) = started_by_us()
    waiting.kill()
    while started_by_us():
        time.sleep(0.01)
    assert early.take(dict(os.environ), sys.executable, order(tmp_path, "/nowhere", "1")) is None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["validate", "check.yaml"],
        ["run", "--help"],
        ["run", "check.yaml", "--transformers", "4.49.0"],
        ["run", "check.yaml", "--transformers=4.49.0"],
        ["run", "check.yaml", "--with", "trl==1.0.0"],
    ],
)
def test_other_commands_start_none(early: EarlyConductor, arguments: list[str]) -> None:
    early.start(arguments)
    assert started_by_us() == []


def conductor_of_a_killed_program(*lines: str) -> psutil.Process:
    """The conductor that a program has started with these lines, and announced; the program has been killed."""
    begin = [
        "import os, sys, time",
        "from accumcheck.launch.early import conductor",
        "conductor.start(['run', 'check.yaml'])",
        "process = conductor._process",
    ]
    program = "\n".join([*begin, *lines, "print(process.pid, flush=True)", "time.sleep(60)"])
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        waiting = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    return waiting


def test_it_ends_with_a_program_that_is_killed() -> None:
    conductor_of_a_killed_program().wait(60)  # psutil.TimeoutExpired if it lives on


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6, 1.0])
def test_it_removes_the_files_of_a_run_whose_program_is_killed_before_it_leads(tmp_path: Path, seconds: float) -> None:
    """Before its first line, or while it imports torch."""
    root = tmp_path / "root"
    (root / "tmp").mkdir(parents=True)
    (root / "log").touch()
    waiting = conductor_of_a_killed_program(
        f"root = {str(root)!r}",
        f"time.sleep({seconds})",
        "process = conductor.take(dict(os.environ), sys.executable, [root + '/tmp', root + '/log', root, '1'])",
    )
    waiting.wait(60)
    assert not root.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the signal is used on Linux only")
def test_a_signal_from_somebody_else_does_not_end_it(early: EarlyConductor, tmp_path: Path) -> None:
    early.start(RUN)
    (waiting,) = started_by_us()
    deadline = time.monotonic() + 60
    while not int(_status(waiting.pid, "SigCgt"), 16) & 1 << (signal.SIGUSR1 - 1) and time.monotonic() < deadline:
        time.sleep(0.01)  # until it handles the signal
    waiting.send_signal(signal.SIGUSR1)
    process = early.take(dict(os.environ) | {"TMPDIR": str(tmp_path)}, sys.executable, order(tmp_path, "/nowhere", "1"))
    assert process is not None
    assert process.wait(60) != 0
    assert "No such file or directory: '/nowhere/0/plan.json'" in (tmp_path / "log").read_text(encoding="utf-8")
    assert process.stdin is not None
    process.stdin.close()


def _status(pid: int, name: str) -> str:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:"))


def test_one_whose_program_has_ended_before_it_could_look_ends_at_once() -> None:
    command = module_command(sys.executable, "accumcheck.launch", [EARLY, "1"])
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as orphan:
        assert orphan.wait(60) == 1


def test_a_wrong_configuration_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text("nothing: 1\n", encoding="utf-8")
    command = [sys.executable, "-m", "accumcheck", "run", "check.yaml"]
    with psutil.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as program:
        seen: list[psutil.Process] = []
        while program.poll() is None:
            try:
                seen += [child for child in program.children() if child not in seen]
            except psutil.Error:
                break
        assert program.wait() == 2
    assert len(seen) == 1
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in seen)
