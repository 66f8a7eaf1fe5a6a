"""Nothing of a run stays behind but what is kept on purpose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from accumcheck.runfolder.place import new_place, remove_stale


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's temporary folder, with a short name, which pytest's own folders have not."""
    with tempfile.TemporaryDirectory(prefix="of-a-user-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_for_each_plan_and_one_for_temporary_files_all_gone_at_the_end(temporary: Path) -> None:
    with new_place(2) as place:
        assert names(place.root) == ["0", "1", "owner.lock", "tmp"]
        assert place.scratch == place.root / "tmp"
        (place.run(1) / "deep").mkdir()
        (place.scratch / "listener").touch()
    assert names(temporary) == []


def test_it_is_removed_where_the_run_was_interrupted(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_place(1):
        raise KeyboardInterrupt
    assert names(temporary) == []


def test_what_is_kept_is_all_that_stays(temporary: Path) -> None:
    with new_place(2) as place:
        for job in ("1x2x2", "2x1x2"):
            (place.run(0) / job / "logs").mkdir(parents=True)
            (place.run(0) / job / "process-0.json").touch()
            (place.run(0) / job / "logs" / "stderr.log").touch()
        place.kept.update({place.run(0) / "2x1x2" / "logs", place.run(1) / "never" / "logs"})
    root = Path(place.root.name)
    assert names(temporary) == [
        str(root),
        str(root / "0"),
        str(root / "0" / "2x1x2"),
        str(root / "0" / "2x1x2" / "logs"),
        str(root / "0" / "2x1x2" / "logs" / "stderr.log"),
    ]
    remove_stale(temporary)  # nobody owns what was kept, and nobody removes it
    assert (place.run(0) / "2x1x2" / "logs" / "stderr.log").exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="shared memory is elsewhere")
def test_semaphores_of_the_run_are_removed_and_others_are_not(temporary: Path) -> None:
    other = Path(f"/dev/shm/sem.accumcheck-other{os.getpid()}-1")
    other.touch()
    try:
        with new_place(1) as place:
            own = Path(f"/dev/shm/sem.{place.semaphores[1:]}-abc")
            own.touch()
        assert not own.exists()
        assert other.exists()
    finally:
        other.unlink()


def test_where_the_temporary_folder_has_too_long_a_name_for_sockets_theirs_is_elsewhere(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = temporary / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with new_place(1) as place:
        assert place.root.parent == long
        assert place.scratch == Path("/tmp") / place.root.name
        assert place.scratch.is_dir()
    assert not place.scratch.exists()
    assert names(long) == []


OWNER = """
import sys, tempfile, time
from pathlib import Path
from accumcheck.runfolder.place import new_place

tempfile.tempdir = sys.argv[1]
with new_place(1) as place:
    (place.scratch / "listener").touch()
    print(place.root, flush=True)
    time.sleep(100)
"""


def test_what_a_killed_run_left_is_removed_by_the_next_and_what_a_living_one_has_is_not(temporary: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(temporary)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    root = Path(owner.stdout.readline().strip())
    remove_stale(temporary)
    assert names(root) == ["0", "owner.lock", "tmp", "tmp/listener"]
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    assert root.exists()
    with new_place(1):
        assert not root.exists()


def left_by_a_dead_owner(folder: Path, boot: str) -> Path:
    root = folder / "accumcheck-dead"
    root.mkdir()
    (root / "owner.lock").write_text(boot, encoding="utf-8")
    return root


def test_nothing_is_removed_of_which_it_is_not_sure_that_the_owner_is_gone(temporary: Path) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    other_system = left_by_a_dead_owner(temporary, "another boot")
    remove_stale(temporary)
    assert other_system.exists()
    (other_system / "owner.lock").unlink()
    outside = temporary / "file"
    outside.write_text(boot, encoding="utf-8")
    (other_system / "owner.lock").symlink_to(outside)
    remove_stale(temporary)
    assert other_system.exists()
    link = temporary / "accumcheck-link"
    (temporary / "mine").mkdir()
    (temporary / "mine" / "owner.lock").write_text(boot, encoding="utf-8")
    link.symlink_to(temporary / "mine")
    remove_stale(temporary)
    assert (temporary / "mine").exists()


def test_what_another_user_owns_is_left_alone(temporary: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    root = left_by_a_dead_owner(temporary, boot)
    os.chown(root / "owner.lock", 12345, 12345)
    remove_stale(temporary)
    assert root.exists()
    os.chown(root / "owner.lock", 0, 0)
    os.chown(root, 12345, 12345)
    remove_stale(temporary)
    assert root.exists()
    os.chown(root, 0, 0)
    remove_stale(temporary)
    assert not root.exists()
