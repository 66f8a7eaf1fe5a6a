"""Locks are opened where they are, and nowhere that a link leads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from accumcheck.environments.lock import Lock, is_held
from accumcheck.errors import ConfigError


def test_a_lock_is_shared_by_users_and_not_by_owners(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path) as one, Lock(path) as other:
        assert one.try_use()
        assert other.try_use()
        assert is_held(path)
        assert not other.try_own()
    assert not is_held(path)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_not_followed(tmp_path: Path, there: bool) -> None:
    target, path = tmp_path / "target", tmp_path / "lock"
    if there:
        target.write_text("kept")
        target.chmod(0o644)
    path.symlink_to(target)
    with pytest.raises(ConfigError, match="lock: is a symbolic link; links inside the cache are never followed"):
        Lock(path)
    assert not is_held(path)
    assert target.exists() == there
    if there:
        assert target.stat().st_mode & 0o777 == 0o644


def test_a_pipe_is_no_lock_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(ConfigError, match="lock: is not a regular file"):
        Lock(tmp_path / "lock")


def test_a_folder_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(IsADirectoryError):
        Lock(tmp_path / "lock")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_another_users_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("")
    os.chown(tmp_path / "lock", 54_321, -1)
    with pytest.raises(ConfigError, match="lock: belongs to uid 54321"):
        Lock(tmp_path / "lock")


def test_looking_makes_no_lock(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "lock")
    assert not (tmp_path / "lock").exists()
