"""A program runs as Python itself would run it, and a package that is not there is asked for by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from accumcheck.errors import WorkloadError
from accumcheck.stacks.programs.start import is_installed, require_package, run_file, run_module

PROGRAM = "import sys\nimport beside_it\nprint(__name__, sys.argv[1:], beside_it.HERE)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a program that imports what stands beside it."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "beside_it.py").write_text("HERE = 'here'\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "beside_it", raising=False)
    return tmp_path


def test_a_file_runs_as_main_with_its_arguments_and_its_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_file(str(folder / "program.py"), ["--steps", "5"])
    assert capsys.readouterr().out == "__main__ ['--steps', '5'] here\n"
    assert sys.argv[0] == str(folder / "program.py")


def test_a_module_runs_as_main_from_the_working_directory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_module("program", ["one"])
    assert capsys.readouterr().out == "__main__ ['one'] here\n"


def test_a_missing_package_is_asked_for_by_its_name() -> None:
    with pytest.raises(WorkloadError) as raised:
        require_package("no-such-package", "mine")
    assert str(raised.value) == (
        "stack: mine needs no-such-package, which is not installed; install it, or choose a release: "
        "accumcheck run CONFIG --with no-such-package==VERSION"
    )
    require_package("torch", "mine")


@pytest.mark.parametrize(
    ("module", "there"), [("torch.optim", True), ("torch.no_such_module", False), ("no_such_package.module", False)]
)
def test_a_module_is_looked_for_without_a_failure(module: str, there: bool) -> None:
    assert is_installed(module) is there
