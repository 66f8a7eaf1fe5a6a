"""Wheels of wheels, folders and commits: what is in them, when they are built again, and what is left untouched."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from accumcheck.environments.git import Repository
from accumcheck.environments.processes import Processes
from accumcheck.environments.request import Pin
from accumcheck.environments.sources import Source, is_source, read_source
from accumcheck.environments.wheels import build_wheel
from accumcheck.errors import ConfigError, LaunchError
from tests.environments.repository import TinyRepository


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def repository(tmp_path: Path) -> TinyRepository:
    made = TinyRepository(tmp_path / "repo")
    made.commit("SCALE = 1\n", "Begin")
    made.commit("SCALE = 2\n", "Scale by two")
    return made


def module_in(pin: Pin) -> str:
    with zipfile.ZipFile(pin.wheel) as archive:
        return archive.read("tiny_loop.py").decode()


@pytest.mark.parametrize("text", ["trl @ ./x", "git+file:///a@b", "./x", "/x", "~/x", "a-1.0-py3-none-any.whl"])
def test_what_is_no_release(text: str) -> None:
    assert is_source(text)


@pytest.mark.parametrize("text", ["trl==1.16.0", "4.49.0", "latest", "trl>=1"])
def test_what_is_no_source(text: str) -> None:
    assert not is_source(text)


def test_a_commit_is_read_with_its_repository_ref_and_folder() -> None:
    found = read_source("Tiny_Loop @ git+file:///a/re@po@v1.0#subdirectory=python/pkg")
    assert found.kind == "commit"
    assert (found.name, found.folder) == ("tiny-loop", "python/pkg")
    assert read_source("git+file:///a/repo@v1.0") == Source("commit", "/a/repo", "", "v1.0")
    assert read_source("git+https://host/a/repo.git") == Source("commit", "https://host/a/repo.git", "", "HEAD")
    assert read_source("git+/a/repo@main") == Source("commit", "/a/repo", "", "main")


def test_each_commit_is_built_as_it_is_and_only_once(repository: TinyRepository) -> None:
    said: list[str] = []
    first, second = (
        build_wheel(read_source(f"tiny-loop @ git+file://{repository.path}@{ref}"), say=said.append)
        for ref in (repository.commits[0], "main")
    )
    assert (module_in(first), module_in(second)) == ("SCALE = 1\n", "SCALE = 2\n")
    assert (first.name, first.version, first.origin) == ("tiny-loop", "1.0", repository.commits[0][:10])
    assert (first.day, second.day) == ("2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z") or first.day.endswith("+00:00")
    assert first.digest != second.digest
    assert said == [f"{one[:10]}: building a wheel" for one in repository.commits]
    again = build_wheel(read_source(f"git+file://{repository.path}@main"), say=said.append)
    assert (again, len(said)) == (second, 2)


def test_nothing_is_written_into_the_repository(repository: TinyRepository) -> None:
    before = sorted(str(path) for path in repository.path.rglob("*"))
    build_wheel(read_source(f"git+file://{repository.path}@main"))
    build_wheel(read_source(str(repository.path)))
    assert sorted(str(path) for path in repository.path.rglob("*")) == before
    assert repository.git("status", "--porcelain") == ""


def test_a_checkout_is_built_with_what_is_not_committed(repository: TinyRepository) -> None:
    (repository.path / ".gitignore").write_text("ignored\n")
    committed = build_wheel(Source("folder", str(repository.path)))
    (repository.path / "tiny_loop.py").write_text("SCALE = 3\n")
    changed = build_wheel(Source("folder", str(repository.path)))
    assert (module_in(committed), module_in(changed)) == ("SCALE = 2\n", "SCALE = 3\n")
    assert changed.digest != committed.digest
    (repository.path / "ignored").write_text("of no account")
    assert build_wheel(Source("folder", str(repository.path))) == changed


def test_a_folder_that_is_in_no_repository_is_built(tmp_path: Path) -> None:
    made = TinyRepository(tmp_path / "plain")
    made.write("SCALE = 4\n")
    (tmp_path / "plain" / ".git").rename(tmp_path / "elsewhere")
    found = build_wheel(read_source(str(tmp_path / "plain")))
    assert module_in(found) == "SCALE = 4\n"
    assert found.origin.startswith("plain ")


def test_a_package_inside_a_repository_is_built_of_its_folder(tmp_path: Path) -> None:
    made = TinyRepository(tmp_path / "many", "python/tiny")
    made.commit("SCALE = 5\n", "Begin")
    found = build_wheel(read_source(f"git+file://{made.path}@main#subdirectory=python/tiny"))
    assert module_in(found) == "SCALE = 5\n"
    with pytest.raises(ConfigError, match="nowhere: no such folder in commit"):
        build_wheel(read_source(f"git+file://{made.path}@main#subdirectory=nowhere"))


def test_a_wheel_is_taken_as_it_is(repository: TinyRepository, tmp_path: Path) -> None:
    built = build_wheel(read_source(f"git+file://{repository.path}@main"))
    copied = tmp_path / Path(built.wheel).name
    copied.write_bytes(Path(built.wheel).read_bytes())
    found = build_wheel(read_source(f"tiny-loop @ {copied}"))
    assert (found.name, found.version, found.digest) == (built.name, built.version, built.digest)
    (tmp_path / "bad-1.0-py3-none-any.whl").write_text("no zip")
    with pytest.raises(ConfigError, match="is not a wheel"):
        build_wheel(read_source(str(tmp_path / "bad-1.0-py3-none-any.whl")))


def test_a_commit_that_does_not_build_says_why(repository: TinyRepository) -> None:
    repository.commit("SCALE = 6\n", "Break the build", builds=False)
    with pytest.raises(LaunchError, match=r"no wheel can be built from commit .*this commit does not build"):
        build_wheel(read_source(f"git+file://{repository.path}@main"))


def test_what_is_not_there_is_told(repository: TinyRepository, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"v9: .* has no such commit, branch or tag"):
        build_wheel(read_source(f"git+file://{repository.path}@v9"))
    with pytest.raises(ConfigError, match="does not exist"):
        build_wheel(read_source(f"git+file://{tmp_path}/none@main"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="is not a git repository"):
        Repository(tmp_path / "empty", Processes())


def test_a_repository_elsewhere_is_fetched_and_brought_up_to_date(repository: TinyRepository) -> None:
    source = Source("commit", f"file://{repository.path}", "tiny-loop", "main")
    assert module_in(build_wheel(source)) == "SCALE = 2\n"
    repository.commit("SCALE = 7\n", "Scale by seven")
    assert module_in(build_wheel(source)) == "SCALE = 7\n"


def test_the_commits_between_two_are_those_of_the_first_parents(repository: TinyRepository) -> None:
    opened = Repository(repository.path, Processes())
    repository.git("switch", "--quiet", "-c", "side")
    on_side = repository.commit("SCALE = 2\n", "On the side", more={"notes": "a"})
    repository.git("switch", "--quiet", "main")
    on_main = repository.commit("SCALE = 2\n", "On main", more={"other": "b"})
    repository.git("merge", "--quiet", "--no-ff", "-m", "Merge the side", "side")
    merge = opened.commit("main")
    last = opened.commit(repository.commit("SCALE = 8\n", "Last"))
    first = opened.commit(repository.commits[0])
    assert [one.subject for one in opened.between(first, last)] == ["Scale by two", "On main", "Merge the side"]
    assert [one.subject for one in opened.between(opened.commit(on_side), last)] == ["Merge the side"]
    assert opened.is_ancestor(opened.commit(on_main), merge)
    assert not opened.is_ancestor(merge, opened.commit(on_main))
