"""``accumcheck bisect --repo``: real git, wheels and environments; what a check comes to is asked of those."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from accumcheck.cli import main
from accumcheck.compare import trial
from accumcheck.config.model import CheckConfig
from accumcheck.record import Report
from tests.compare.ladder import failing, passing
from tests.environments.repository import TinyRepository

ASK = "import tiny_loop; print(tiny_loop.SCALE)"


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "check.yaml"
    path.write_text("model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\n")
    return str(path)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The scales that were found in the environments: the check fails where it is not 1."""
    found: list[str] = []

    def run_check(check: CheckConfig, *, on_event: Callable[..., None], python: str) -> Report:
        scale = subprocess.run([python, "-c", ASK], capture_output=True, text=True, check=True).stdout.strip()
        found.append(scale)
        return passing() if scale == "1" else failing("token-mean*k")

    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")  # nothing of this needs an index
    monkeypatch.setattr(trial, "run_check", run_check)
    return found


def made(path: Path) -> TinyRepository:
    """Five commits: the second brings the fault, the third, in the middle, does not build."""
    made = TinyRepository(path)
    for number in range(1, 6):
        module = f"SCALE = {1 if number < 2 else 2}  # {number}\n"
        made.commit(module, f"Change {number}", builds=number != 3)
    return made


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> TinyRepository:
    """For tests that change nothing in it."""
    return made(tmp_path_factory.mktemp("git") / "repo")


@pytest.mark.e2e
def test_the_first_bad_commit_is_found_and_one_that_does_not_build_is_skipped(
    repository: TinyRepository, config: str, ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = repository.commits
    command = ["bisect", config, "--repo", str(repository.path), "--good", first, "--bad", "main"]
    assert main(command) == 0
    captured = capsys.readouterr()
    *_, near, last = captured.out.splitlines()
    assert near == f"first bad commit: {second[:10]}: Change 2"
    assert last == f"first bad release: {second}"
    assert re.search(rf"^{repository.commits[2][:10]} skipped ", captured.err, re.MULTILINE)
    assert ran == ["1", "2", "2"]  # both ends, and the commit before the one that is skipped
    ran.clear()
    assert main(command) == 0
    assert ran == []  # every result was kept


@pytest.mark.e2e
def test_the_first_fixed_commit_is_found_by_tag(
    tmp_path: Path, config: str, ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    repository = made(tmp_path / "repo")
    repository.git("tag", "v1")
    repository.commit("SCALE = 2  # 9\n", "Change 9")
    fixed = repository.commit("SCALE = 1  # 10\n", "Change 10")
    command = ["bisect", config, "--repo", str(repository.path), "--good", "main", "--bad", "v1", "--find", "fixed"]
    assert main([*command, "--package", "tiny_loop"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"first fixed release: {fixed}"


@pytest.mark.e2e
def test_where_only_commits_that_do_not_build_are_left_it_is_not_decided(
    tmp_path: Path, config: str, ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = TinyRepository(tmp_path / "other")
    commits = [made.commit(f"SCALE = {scale}\n", str(scale), builds=scale != 3) for scale in (1, 3, 2)]
    command = ["bisect", config, "--repo", str(made.path), "--good", commits[0], "--bad", commits[2]]
    assert main(command) == 3
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1].startswith(f"first bad release: one of {commits[1][:10]}, {commits[2][:10]}")
    assert f"commit {commits[1][:10]} skipped: no wheel can be built" in captured.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--good", "main", "--bad", "HEAD~2"], "the order is reversed: give --find fixed"),
        (["--good", "HEAD", "--bad", "main"], "both ends are the same commit"),
        (["--good", "v9", "--bad", "main"], "has no such commit, branch or tag"),
        (["--good", "HEAD~1", "--bad", "main", "--package", "trl"], "contains the package tiny-loop, not trl"),
    ],
)
def test_ends_that_cannot_be_searched_between_exit_2(
    repository: TinyRepository,
    config: str,
    ran: list[str],
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bisect", config, "--repo", str(repository.path), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert ran == []
