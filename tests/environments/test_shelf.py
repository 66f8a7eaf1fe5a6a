"""What stands on the shelf, what is said of it, and what may go."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from accumcheck.environments.entries import Entry
from accumcheck.environments.request import Pin, Request
from accumcheck.environments.shelf import Shelf, default_folder
from accumcheck.environments.show import ago, as_table, megabytes
from accumcheck.environments.stamp import STAMP

NOW = 1_800_000_000.0
DAY = 86_400
REQUEST = Request((Pin("transformers", "4.49.0"), Pin("trl", "0.15.0")))


def put(shelf: Shelf, name: str, releases: dict[str, str], days_ago: float) -> Path:
    """An environment as a build leaves it."""
    place = shelf.folder / name
    place.mkdir(parents=True)
    (place / "module.py").write_bytes(b"x" * 1000)
    shelf.stamp(place, {"releases": releases, "packages": releases, "base": "/usr/bin/python3"})
    moment = time.time() - days_ago * DAY
    os.utime(place / STAMP, (moment, moment))
    return place


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_the_place_follows_the_releases_and_what_is_below(shelf: Shelf) -> None:
    recipe = {"python": ["/usr/bin/python3", "3.11.7"], "packages": {"torch": "2.13.0"}}
    place = shelf.place(REQUEST, recipe)
    assert place.parent == shelf.folder
    assert place.name.startswith("transformers-4.49.0-trl-0.15.0-")
    assert shelf.place(REQUEST, dict(recipe)) == place
    assert shelf.place(REQUEST, {**recipe, "packages": {"torch": "2.14.0"}}) != place
    assert shelf.place(Request(REQUEST.pins[:1]), recipe).name.startswith("transformers-4.49.0-")


def test_a_build_that_ends_well_appears_whole_and_one_that_does_not_vanishes(shelf: Shelf) -> None:
    place = shelf.folder / "transformers-4.49.0-abc"
    with shelf.building(place) as folder:
        (folder / "module.py").write_text("x = 1")
        assert not place.exists()
    assert (place / "module.py").read_text() == "x = 1"
    with contextlib.suppress(KeyboardInterrupt), shelf.building(place) as folder:
        (folder / "module.py").write_text("x = 2")
        raise KeyboardInterrupt
    assert (place / "module.py").read_text() == "x = 1"
    assert [path.name for path in shelf.folder.iterdir()] == [place.name]


def test_remains_of_a_killed_build_go_with_the_next(shelf: Shelf) -> None:
    remains = shelf.folder / ".transformers-4.49.0-abc.building-1"
    other = shelf.folder / ".transformers-4.48.3-abc.building-1"
    for folder in (remains, other):
        folder.mkdir(parents=True)
    with shelf.building(shelf.folder / "transformers-4.49.0-abc"):
        pass
    assert not remains.exists()
    assert other.exists()


def test_entries_come_last_used_first_and_strangers_are_left_alone(shelf: Shelf) -> None:
    assert shelf.entries() == []
    put(shelf, "transformers-4.48.3-a", {"transformers": "4.48.3"}, days_ago=2)
    put(shelf, "transformers-4.49.0-b", {"transformers": "4.49.0"}, days_ago=1)
    (shelf.folder / "something").mkdir()
    (shelf.folder / ".transformers-4.50.0-c.building-1").mkdir()
    found = shelf.entries()
    assert [(entry.path.name, entry.complete) for entry in found] == [
        (".transformers-4.50.0-c.building-1", False),
        ("transformers-4.49.0-b", True),
        ("transformers-4.48.3-a", True),
    ]
    assert found[1].size == 1000
    shelf.used(found[2].path)
    assert [entry.path.name for entry in shelf.entries() if entry.complete] == [
        "transformers-4.48.3-a",
        "transformers-4.49.0-b",
    ]
    shelf.prune(0, everything=True)
    assert sorted(path.name for path in shelf.folder.iterdir()) == [".locks", "something"]


def test_prune_removes_what_was_not_used_for_long_and_remains_of_builds(shelf: Shelf) -> None:
    put(shelf, "transformers-4.48.3-a", {"transformers": "4.48.3"}, days_ago=31)
    put(shelf, "transformers-4.49.0-b", {"transformers": "4.49.0"}, days_ago=29)
    (shelf.folder / ".transformers-4.50.0-c.building-1").mkdir()
    (shelf.folder / ".transformers-4.50.0-c.removing-1").mkdir()
    removed, kept = shelf.prune(30)
    assert sorted(entry.path.name for entry in removed) == [
        ".transformers-4.50.0-c.building-1",
        ".transformers-4.50.0-c.removing-1",
        "transformers-4.48.3-a",
    ]
    assert kept == []
    assert [entry.path.name for entry in shelf.entries()] == ["transformers-4.49.0-b"]


def test_prune_leaves_what_is_in_use(shelf: Shelf) -> None:
    place = put(shelf, "transformers-4.49.0-b", {"transformers": "4.49.0"}, days_ago=40)
    with shelf.lock(place) as user:
        assert user.try_use()
        removed, kept = shelf.prune(30, everything=True)
        assert [entry.path for entry in kept] == [place]
        assert [entry.in_use for entry in shelf.entries()] == [True]
    assert removed == []
    removed, kept = shelf.prune(30)
    assert [entry.path for entry in removed] == [place]


def test_the_folder_is_the_users_own_and_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ACCUMCHECK_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_folder() == tmp_path / ".cache" / "accumcheck" / "environments"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_folder() == tmp_path / "xdg" / "accumcheck" / "environments"
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "own"))
    assert default_folder() == tmp_path / "own" / "environments"


def test_the_table() -> None:
    folder = Path("/cache")
    entries = [
        Entry(folder / ".transformers-4.50.0-c.building-1", complete=False, last_used=NOW, size=499_999),
        Entry(
            folder / "transformers-4.49.0-b",
            complete=True,
            last_used=NOW - 3 * DAY,
            size=335_200_000,
            releases={"transformers": "4.49.0", "accelerate": "1.4.0"},
        ),
    ]
    assert [text.plain for text in as_table(entries, folder, NOW)] == [
        "releases                                 size   last used  state",
        "---------------------------------------------------------------------------------",
        "transformers-4.50.0-c                    0 MB    just now  half-built, never used",
        "transformers 4.49.0, accelerate 1.4.0  335 MB  3 days ago  complete",
        "2 environments, 336 MB in /cache",
    ]
    assert [text.plain for text in as_table([], folder, NOW)] == ["0 environments in /cache"]


def test_sizes_and_times_in_words() -> None:
    assert [megabytes(size) for size in (0, 334_600_000, 999_499_999, 1_250_000_000)] == [
        "0 MB",
        "335 MB",
        "999 MB",
        "1.2 GB",
    ]
    assert [ago(seconds) for seconds in (0, 59, 60, 7_200, 86_400, 5e6)] == [
        "just now",
        "just now",
        "1 minute ago",
        "2 hours ago",
        "1 day ago",
        "57 days ago",
    ]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_broken_and_goes_without_being_followed(shelf: Shelf, tmp_path: Path, there: bool) -> None:
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    if there:
        put(Shelf(elsewhere), "module", {"transformers": "4.49.0"}, 1)
    link = shelf.folder / "transformers-4.49.0-0123456789"
    link.symlink_to(elsewhere / "module")
    locks = shelf.folder / ".locks"
    locks.mkdir(0o700)
    (locks / "transformers-4.49.0-0123456789").symlink_to(elsewhere)
    (entry,) = shelf.entries()
    assert (entry.path, entry.complete, entry.broken) == (link, False, "a symbolic link")
    removed, kept = shelf.prune(30)
    assert ([one.path for one in removed], kept) == ([link], [])
    assert not os.path.lexists(link)
    assert list(locks.iterdir()) == []
    assert (elsewhere / "module" / STAMP).exists() == there


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_build_takes_the_place_of_what_is_none(shelf: Shelf, tmp_path: Path, kind: str) -> None:
    place, elsewhere = shelf.folder / "transformers-4.49.0-0123456789", tmp_path / "nowhere"
    if kind == "link":
        place.symlink_to(elsewhere)
    else:
        place.write_text("")
    with shelf.building(place) as folder:
        (folder / "module.py").write_text("x = 1")
    assert (place / "module.py").read_text() == "x = 1"
    assert not place.is_symlink()
    assert not elsewhere.exists()


def test_links_inside_an_environment_are_not_followed_when_it_is_removed(shelf: Shelf, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("")
    place = put(shelf, "transformers-4.49.0-b", {"transformers": "4.49.0"}, days_ago=40)
    (place / "link").symlink_to(outside)
    shelf.prune(30)
    assert not place.exists()
    assert (outside / "kept").exists()
