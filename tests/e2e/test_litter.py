"""Whoever is killed, by whatever signal: the cause is named, and no process and no file of the run stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.program import accumcheck, command, leftovers, write_config, write_faulty_model
from tests.signals import default_signals

pytestmark = pytest.mark.e2e

OUT_OF_MEMORY = "; the system may have run out of memory"


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The temporary folder of a run; pytest's own have names too long for sockets."""
    with tempfile.TemporaryDirectory(prefix="of-a-user-") as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Running:
    """A run whose two workers hang."""

    parent: subprocess.Popen[str]
    mark: str
    folder: str
    """The name of the run's temporary folder."""

    def semaphores(self) -> list[str]:
        """The run's own in shared memory, where those of other runs may lie beside them."""
        return [path.name for path in Path("/dev/shm").glob(f"sem.{self.folder}-*")]

    def ids(self) -> dict[str, int]:
        """The processes of the run: ``parent``, ``conductor``, ``server``, and the workers by their number."""
        found = {"parent": self.parent.pid}
        conductors = children(self.parent.pid, self.mark, "accumcheck.launch")
        if conductors:
            found["conductor"] = conductors[0]
        # forked from the conductor, whose command line it has
        servers = children(found.get("conductor", -1), self.mark, "accumcheck.launch")
        if servers:
            found["server"] = servers[0]
            found.update((str(number), pid) for number, pid in enumerate(children(servers[0], self.mark)))
        return found


def children(parent: int, mark: str, word: str = "") -> list[int]:
    """The processes of the run that this one has started, of which the command line has this word."""
    found = []
    for pid in leftovers(mark):
        folder = Path(f"/proc/{pid}")
        try:
            state = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(state[1]) == parent and word in (folder / "cmdline").read_text(encoding="utf-8"):
                found.append(pid)
        except OSError:
            continue
    return sorted(found)


def wait_for(what: Callable[[], bool], seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.2)
    return what()


@pytest.fixture
def running(tmp_path: Path, temporary: Path) -> Iterator[Running]:
    config = write_config(tmp_path, model=write_faulty_model(tmp_path), splits=["2x2x2"])
    mark = uuid.uuid4().hex
    parent = subprocess.Popen(
        command("run", config, "--format", "json", "--quiet"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PLANTED": "hang:1:1", "ACCUMCHECK_TEST": mark, "TMPDIR": str(temporary)},
        preexec_fn=default_signals,
    )
    run = Running(parent, f"ACCUMCHECK_TEST={mark}", "")
    try:
        assert wait_for(lambda: "1" in run.ids()), parent.communicate(timeout=5)
        time.sleep(1)
        (folder,) = temporary.iterdir()
        run = replace(run, folder=folder.name)
        assert run.semaphores() != []
        yield run
    finally:
        for pid in leftovers(run.mark):
            os.kill(pid, signal.SIGKILL)


def nothing_is_left(run: Running, temporary: Path) -> None:
    assert wait_for(lambda: not leftovers(run.mark), 15), leftovers(run.mark)
    assert wait_for(lambda: not list(temporary.iterdir()), 15), list(temporary.rglob("*"))
    assert run.semaphores() == []


@pytest.mark.parametrize(
    "signs",
    [
        [signal.SIGINT],
        [signal.SIGTERM],
        [signal.SIGHUP, signal.SIGHUP],  # a closed terminal: a shell and the kernel may both say it
        [signal.SIGKILL],
    ],
    ids=lambda signs: "-".join(sign.name for sign in signs),
)
def test_an_ended_parent_leaves_nothing_behind(running: Running, temporary: Path, signs: list[signal.Signals]) -> None:
    for sign in signs:
        running.parent.send_signal(sign)
        time.sleep(0.01)
    _, err = running.parent.communicate(timeout=60)
    if signs != [signal.SIGKILL]:
        assert running.parent.returncode == 130
        assert err.endswith("accumcheck: interrupted; all processes were stopped\n")
        assert "Traceback" not in err
    nothing_is_left(running, temporary)


@pytest.mark.parametrize(
    ("victim", "reason"),
    [
        ("conductor", "the conductor, which leads the run, was killed by SIGKILL" + OUT_OF_MEMORY),
        (
            "server",
            "the fork server (process {pid}) was killed by SIGKILL"
            f"{OUT_OF_MEMORY}; it starts all processes of the run, and they end with it",
        ),
        ("0", "process {rank} of 2 was killed by SIGKILL" + OUT_OF_MEMORY),
    ],
)
def test_the_process_that_was_killed_is_named_and_nothing_else_is_left(
    running: Running, temporary: Path, victim: str, reason: str
) -> None:
    pid = running.ids()[victim]
    os.kill(pid, signal.SIGKILL)
    out, err = running.parent.communicate(timeout=120)
    assert running.parent.returncode == 3, err
    (split,) = json.loads(out)["splits"]
    # either of the two workers may have started first
    assert split["reason"] in [reason.format(pid=pid, rank=rank) for rank in (0, 1)]
    assert split["reason_kind"] == "crashed"
    assert all(Path(split["log"]) in path.parents for path in temporary.rglob("*") if path.is_file())
    assert wait_for(lambda: not leftovers(running.mark), 15)
    assert running.semaphores() == []


def test_of_a_run_that_was_killed_with_its_conductor_no_process_stays_and_the_next_run_removes_its_files(
    running: Running, temporary: Path, tmp_path: Path
) -> None:
    ids = running.ids()
    os.kill(ids["conductor"], signal.SIGSTOP)  # so that it cannot see the parent's end before its own
    os.kill(ids["parent"], signal.SIGKILL)
    os.kill(ids["conductor"], signal.SIGKILL)
    running.parent.communicate(timeout=60)
    assert wait_for(lambda: not leftovers(running.mark), 30), running.ids()
    assert len(list(temporary.iterdir())) == 1
    config = write_config(tmp_path, splits=["1x8x1"])
    assert accumcheck("run", config, env={"TMPDIR": str(temporary)}).code == 0
    nothing_is_left(running, temporary)
