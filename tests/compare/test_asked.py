"""Which configurations and releases a command line names."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from accumcheck.compare import asked
from accumcheck.compare.asked import plans, sides
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
    assert "there is no .yaml file in this folder" in lines[0]
    assert "stepz" in lines[1]
    assert "none.yaml" in lines[2]


def test_the_installed_release_is_the_one_in_use() -> None:
    old, new = sides(None, "4.49.0", [])
    assert (old.release, old.request) == (version("transformers"), None)
    assert (new.release, str(new.request)) == ("4.49.0", "transformers 4.49.0")


def test_other_releases_go_into_both_environments() -> None:
    old, new = sides("4.48.3", "4.49.0", ["accelerate==1.4.0"])
    assert str(old.request) == "transformers 4.48.3, accelerate 1.4.0"
    assert str(new.request) == "transformers 4.49.0, accelerate 1.4.0"


def test_latest_is_asked_of_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "latest", lambda _: Version("6.1.0"))
    _, new = sides("5.0.0", "latest", [])
    assert new.release == "6.1.0"


def test_on_the_day_when_the_latest_is_in_use_it_is_checked_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "latest", lambda _: Version("6.1.0"))
    old, new = sides("6.1.0", "latest", [])
    assert (old.release, new.release) == ("6.1.0", "6.1.0")
    with pytest.raises(ConfigError, match="there is nothing to compare"):
        sides("6.1.0", "6.1", [])


def test_checks_of_several_machines_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        plans([folder], ["launcher={nnodes: 2, rdzv_endpoint: 'a:1'}"])
    assert [Path(line.split(":")[0]).name for line in str(refused.value).splitlines()] == ["a.yml", "b.yaml"]
    assert "launcher.nnodes: found 2" in str(refused.value)
