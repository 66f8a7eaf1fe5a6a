"""A cache that others could have written to is not used: real files, real owners where the tests run as root."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accumcheck.cli import main
from accumcheck.environments import environments, ownership
from accumcheck.environments.ownership import check_folders, fault_of, keep_others_out, make_private
from accumcheck.environments.request import Pin, Request
from accumcheck.environments.shelf import Shelf
from accumcheck.errors import ConfigError

SOMEONE = 54_321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one environment in it that has all the parts of a real one."""
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "cache"))
    shelf = Shelf()
    place = entry_of(tmp_path / "cache")
    with shelf.lock(place), shelf.building(place) as folder:
        packages = folder / "lib" / "python3.11" / "site-packages"
        packages.mkdir(parents=True)
        (packages / "base.pth").write_text("")
        (packages / "module.py").write_text("")
        (folder / "bin").mkdir()
        (folder / "bin" / "python").symlink_to(sys.executable)
        (folder / "pyvenv.cfg").write_text("")
        shelf.stamp(folder, {"releases": {"transformers": "4.49.0"}, "packages": {}, "base": "python"})
    return tmp_path / "cache"


def entry_of(cache: Path) -> Path:
    return cache / "environments" / "transformers-4.49.0-0123456789"


PLACE = "environments/transformers-4.49.0-0123456789"
PARTS = {
    "the cache": "",
    "its room": "environments",
    "its locks": "environments/.locks",
    "an environment": PLACE,
    "its metadata": f"{PLACE}/environment.json",
    "its configuration": f"{PLACE}/pyvenv.cfg",
    "the interpreter's folder": f"{PLACE}/bin",
    "its packages": f"{PLACE}/lib/python3.11/site-packages",
    "what Python reads at its start": f"{PLACE}/lib/python3.11/site-packages/base.pth",
}
COMMANDS = {"list": ["list"], "list as JSON": ["list", "--format", "json"], "prune": ["prune", "--all"]}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_cache_of_ones_own_is_used(cache: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["environments", *command]) == 0
    assert "transformers" in capsys.readouterr().out


@pytest.mark.parametrize("mode", [0o020, 0o002, 0o1002], ids=["group", "world", "sticky"])
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_what_others_can_write_to_is_refused_and_named(
    cache: Path, part: str, mode: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cache / part
    path.chmod(path.stat().st_mode | mode)
    for command in COMMANDS.values():
        assert main(["environments", *command]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"{path}: others can write to it (mode ")
        assert "ACCUMCHECK_CACHE" in captured.err
    assert entry_of(cache).is_dir()


@as_root
@pytest.mark.parametrize("part", [*PARTS.values(), f"{PLACE}/bin/python"])
def test_what_another_user_owns_is_refused_and_named(
    cache: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.chown(cache / part, SOMEONE, -1, follow_symlinks=False)
    for command in COMMANDS.values():
        assert main(["environments", *command]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"{cache / part}: belongs to uid {SOMEONE}, not to root (uid 0)\n".replace("/:", ":"))


def test_another_users_cache_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: SOMEONE)
    with pytest.raises(ConfigError, match=f"not to uid {SOMEONE}"):
        Shelf().entries()


def test_an_interpreter_that_another_can_write_is_never_executed(cache: Path, tmp_path: Path) -> None:
    request = Request((Pin("transformers", "4.49.0"),))
    shelf, ran = Shelf(), tmp_path / "ran"
    place = entry_of(cache)
    python = place / "bin" / "python"
    python.unlink()
    python.write_text(f"#!/bin/sh\ntouch {ran}\n")
    python.chmod(0o777)
    shelf.place = lambda *_: place  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match=r"bin/python: others can write to it \(mode 0777\)"):
        environments([request], shelf=shelf).__enter__()
    assert not ran.exists()


def test_one_that_leads_to_a_program_of_others_is_refused(cache: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("")
    program.chmod(0o777)
    python = entry_of(cache) / "bin" / "python"
    python.unlink()
    python.symlink_to(program)
    with pytest.raises(ConfigError, match=r"bin/python: leads to another interpreter; .*program: others can write"):
        Shelf().check()
    program.chmod(0o755)
    Shelf().check()


def test_where_others_can_enter_an_environment_everything_in_it_counts(cache: Path) -> None:
    shelf, place = Shelf(), entry_of(cache)
    module = place / "lib" / "python3.11" / "site-packages" / "module.py"
    module.chmod(0o666)
    shelf.check_place(place)  # nobody else comes near it
    place.chmod(0o755)
    with pytest.raises(ConfigError, match=r"module\.py: others can write to it"):
        shelf.check_place(place)


@pytest.mark.parametrize(
    "part", ["environments", "environments/.locks", "environments/transformers-4.49.0-0123456789/bin"]
)
def test_a_link_in_the_place_of_a_folder_is_not_followed(cache: Path, tmp_path: Path, part: str) -> None:
    (cache / part).rename(tmp_path / "elsewhere")
    (cache / part).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is a symbolic link; links inside the cache are never followed"):
        Shelf().check()


def test_the_cache_itself_may_be_a_link_of_this_users(cache: Path, tmp_path: Path) -> None:
    cache.rename(tmp_path / "elsewhere")
    cache.symlink_to(tmp_path / "elsewhere")
    assert [entry.complete for entry in Shelf().entries()] == [True]


@as_root
def test_but_not_one_of_another_users(cache: Path, tmp_path: Path) -> None:
    cache.rename(tmp_path / "elsewhere")
    cache.symlink_to(tmp_path / "elsewhere")
    os.chown(cache, SOMEONE, -1, follow_symlinks=False)
    with pytest.raises(ConfigError, match=f"cache: belongs to uid {SOMEONE}"):
        Shelf().entries()


def test_a_run_in_a_cache_that_others_can_write_to_ends_before_anything_is_asked(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    config = tmp_path / "check.yaml"
    config.write_text("model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\n")
    cache.chmod(0o1777)
    assert main(["run", str(config), "--transformers", "4.49.0", "--quiet"]) == 2
    assert capsys.readouterr().err.startswith(f"{cache}: others can write to it (mode 1777)\n")


def test_many_faults_are_counted() -> None:
    with pytest.raises(ConfigError) as raised:
        ownership.raise_faults([f"fault {number}" for number in range(8)])
    lines = str(raised.value).splitlines()
    assert lines[:6] == [*(f"fault {number}" for number in range(5)), "and 3 more"]
    ownership.raise_faults(["", ""])


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077, 0o777])
def test_folders_are_private_whatever_the_umask(tmp_path: Path, umask: Callable[[int], int], mask: int) -> None:
    umask(mask)
    make_private(tmp_path / "a" / "b", tmp_path / "a" / "b" / "c" / "d")
    umask(0o022)
    modes = [path.stat().st_mode & 0o7777 for path in sorted((tmp_path / "a").rglob("*"))]
    assert modes == [0o700] * 3  # a/b, a/b/c, a/b/c/d
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o777])
def test_files_are_private_whatever_the_umask(
    tmp_path: Path, umask: Callable[[int], int], mask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "new"))
    shelf = Shelf()
    place = shelf.folder / "transformers-4.49.0-0123456789"
    umask(mask)
    with shelf.lock(place), shelf.building(place) as folder:
        umask(0)
        (folder / "lib").mkdir()
        (folder / "module.py").write_text("")
        umask(mask)
        shelf.stamp(folder, {"releases": {}, "packages": {}, "base": ""})
    umask(0o022)
    modes = {str(path.relative_to(shelf.folder)): oct(path.stat().st_mode & 0o777) for path in shelf.folder.rglob("*")}
    assert modes == {
        ".locks": "0o700",
        ".locks/transformers-4.49.0-0123456789": "0o600",
        "transformers-4.49.0-0123456789": "0o700",
        "transformers-4.49.0-0123456789/environment.json": "0o600",
        "transformers-4.49.0-0123456789/lib": "0o755",
        "transformers-4.49.0-0123456789/module.py": "0o644",
    }
    assert [entry.complete for entry in shelf.entries()] == [True]


def test_links_are_left_alone_where_rights_are_taken_away(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o666)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    keep_others_out(folder)
    assert outside.stat().st_mode & 0o777 == 0o666


def test_what_is_not_there_is_no_fault(tmp_path: Path) -> None:
    assert fault_of(tmp_path / "nothing") == ""
    check_folders(tmp_path / "nothing", tmp_path / "nothing" / "below")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        make_private(tmp_path / "file", tmp_path / "file" / "below")
    shutil.rmtree(tmp_path)
