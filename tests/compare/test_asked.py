"""Which configurations and releases a command line names."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from accumcheck.compare import asked
from accumcheck.compare.asked import differing_packages, is_newer, plans, read_sides, resolve_sides
from accumcheck.compare.upgrade import Side
from accumcheck.errors import ConfigError

CHECK = "model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.yaml", "a.yml", "notes.txt"):
        (tmp_path / name).write_text(CHECK)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c.yaml").write_text(CHECK)
    return tmp_path


def test_a_folder_stands_for_the_configurations_in_it(folder: Path) -> None:
    assert [Path(one.file.path).name for one in plans([folder], [])] == ["a.yml", "b.yaml"]


def test_a_configuration_that_is_named_twice_is_checked_once(folder: Path) -> None:
    found = plans([folder / "b.yaml", folder], ["seed=5"])
    assert [(Path(one.file.path).name, one.check.seed) for one in found] == [("b.yaml", 5), ("a.yml", 5)]
    assert found[0].file.line == 3  # where the splits stand


def test_every_error_of_every_configuration_is_told_at_once(folder: Path) -> None:
    (folder / "a.yml").write_text(CHECK + "stepz: 1\n")
    (folder / "empty").mkdir()
    with pytest.raises(ConfigError) as refused:
        plans([folder, folder / "none.yaml", folder / "empty"], [])
    lines = str(refused.value).splitlines()
    assert len(lines) == 3
    assert "this folder has no .yaml file" in lines[0]
    assert "stepz" in lines[1]
    assert "none.yaml" in lines[2]


def sides(old: list[str], new: list[str], others: list[str] | None = None) -> tuple[Side, Side]:
    return resolve_sides(read_sides(old, new, others or []), lambda _: None)


def test_the_installed_release_is_the_one_in_use() -> None:
    old, new = sides([], ["4.49.0"])
    assert old.request is None
    assert str(new.request) == "transformers 4.49.0"
    assert differing_packages(old, new) == [("transformers", version("transformers"), "4.49.0")]


def test_other_releases_go_into_both_environments() -> None:
    old, new = sides(["4.48.3"], ["4.49.0"], ["accelerate==1.4.0"])
    assert str(old.request) == "transformers 4.48.3, accelerate 1.4.0"
    assert str(new.request) == "transformers 4.49.0, accelerate 1.4.0"
    assert differing_packages(old, new) == [("transformers", "4.48.3", "4.49.0")]


def test_any_package_may_differ_and_several_of_them() -> None:
    old, new = sides(["trl==1.15.0"], ["trl==1.16.0", "accelerate==1.4.0"])
    assert (str(old.request), str(new.request)) == ("trl 1.15.0", "accelerate 1.4.0, trl 1.16.0")
    assert differing_packages(old, new) == [
        ("accelerate", version("accelerate"), "1.4.0"),
        ("trl", "1.15.0", "1.16.0"),
    ]


def test_latest_is_asked_of_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "latest", lambda name: Version("6.1.0" if name == "transformers" else "9.0"))
    old, new = sides(["5.0.0"], ["latest", "trl==latest"])
    assert str(new.request) == "transformers 6.1.0, trl 9.0"
    assert is_newer(old, new)


def test_on_the_day_when_the_latest_is_in_use_it_is_checked_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "latest", lambda _: Version("6.1.0"))
    old, new = sides(["6.1.0"], ["latest"])
    assert differing_packages(old, new) == []
    assert not is_newer(old, new)
    with pytest.raises(ConfigError, match="both sides are the same, so there is nothing to compare"):
        sides(["6.1.0"], ["6.1"])


@pytest.mark.parametrize(("old", "new", "newer"), [("4.48.3", "4.49.0", True), ("4.49.0", "4.48.3", False)])
def test_an_older_release_is_not_newer(old: str, new: str, newer: bool) -> None:
    assert is_newer(*sides([old], [new])) is newer


def test_a_package_that_is_not_installed_needs_the_release_in_use() -> None:
    with pytest.raises(ConfigError, match="no-such-package is not installed here; give the release in use with --from"):
        sides([], ["no-such-package==1.0"])


def test_everything_that_is_malformed_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read_sides(["trl>=1"], [f"trl @ {tmp_path}", "git+svn://x@y", "torch @ ./x.whl"], ["4.49.0"])
    lines = str(refused.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["--from", "--to", "--to", "--to", "--with"]
    assert f"{tmp_path} has no pyproject.toml or setup.py" in lines[1]
    assert "expected git+file:///path@ref" in lines[2]
    assert "does not exist" in lines[3]


def test_checks_of_several_machines_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        plans([folder], ["launcher={nnodes: 2, rdzv_endpoint: 'a:1'}"])
    assert [Path(line.split(":")[0]).name for line in str(refused.value).splitlines()] == ["a.yml", "b.yaml"]
    assert "launcher.nnodes: found 2" in str(refused.value)
