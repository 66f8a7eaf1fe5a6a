"""``accumcheck reproduce``: what it refuses before anything is run, and what it writes; tests/e2e runs a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from accumcheck.cli import main
from accumcheck.record import Finding, Report, Split
from accumcheck.reproduce.case import Outcome
from accumcheck.reproduce.script import script
from accumcheck.reproduce.search import Reproduction
from tests.report.runs import clean, llava_449
from tests.report.written import write
from tests.reproduce.subjects import HEADING, case


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Reports in files, in the working directory."""
    monkeypatch.chdir(tmp_path)
    failing = llava_449()
    reports: dict[str, Report] = {
        "clean": clean(),
        "llava": failing,
        "hotfix": replace(failing, config={**failing.config, "hotfix": "token-mean"}),
        "samples": replace(failing, findings=(Finding("samples-differ", "fail", ("4x16x2",), "other samples"),)),
    }
    for name, report in reports.items():
        write(report, tmp_path / f"{name}.json")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument 'REPORT.json'"),
        (["none.json"], "none.json"),
        (["clean.json"], "no finding that fails or warns"),
        (["llava.json", "--finding", "other"], "--finding other: no such finding; the report has: "),
        (["llava.json", "-o", "a/b.py"], "its folder does not exist; create it first"),
        (["llava.json", "-o", "."], "is a folder; name a file in it"),
    ],
)
def test_usage_errors_exit_2_and_run_nothing(
    saved: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("accumcheck.reproduce.reproduce.run_script", pytest.fail)
    assert main(["reproduce", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in " ".join(captured.err.replace("│", " ").split())
    assert captured.out == ""


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("samples.json", "samples-differ was not reproduced: a script can only show a wrong weighting of samples"),
        ("hotfix.json", "the run applied the hot-fix token-mean, which a script does not use"),
    ],
)
def test_what_no_script_can_show_exits_3_and_says_why(
    saved: Path, report: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", report]) == 3
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Reproduction:
    """What the search finds, without searching."""
    made = Reproduction(case(), script(case(), HEADING), Outcome(1, "loss 1.4, right 0.7 (x 2.000)"))
    monkeypatch.setattr("accumcheck.reproduce.reproduce.smallest", lambda *_, **__: made)
    monkeypatch.setattr("accumcheck.reproduce.reproduce._installed", lambda name: "4.49.0")
    monkeypatch.setattr("accumcheck.reproduce.reproduce.Pin", lambda name, _: _Pin(name))
    return made


class _Pin:
    """A pin that is satisfied here, whatever is installed."""

    version = "4.49.0"

    def __init__(self, name: str) -> None:
        self.name = name


def test_the_script_goes_to_standard_output_with_its_output_below_it(
    saved: Path, found: Reproduction, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", "llava.json"]) == 0
    printed = capsys.readouterr().out
    assert printed == f"{found.text}\n# Output (exit code 1):\n# loss 1.4, right 0.7 (x 2.000)\n"
    assert printed.count("\n") <= 80
    assert found.case.split == Split(1, 1, 2)


def test_the_text_of_an_issue_goes_to_a_file(
    saved: Path, found: Reproduction, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", "llava.json", "--issue", "-o", "issue.md"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "accumcheck: wrote issue.md\n"
    text = Path("issue.md").read_text(encoding="utf-8")
    assert text.startswith("# Wrong loss and gradient of BertForSequenceClassification")
    assert found.text.rstrip() in text


def test_where_other_releases_are_installed_it_says_what_runs_the_script(
    saved: Path, found: Reproduction, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def lent(*_: object) -> Iterator[str]:
        yield "/cache/transformers-4.49.0/bin/python"

    monkeypatch.setattr("accumcheck.reproduce.reproduce.environment_of", lent)
    assert main(["reproduce", "llava.json", "-o", "repro.py"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "the script was run with the releases of the report: /cache/transformers-4.49.0/bin/python",
        "accumcheck: wrote repro.py",
    ]


def test_a_report_that_names_a_program_is_refused_where_programs_are(
    saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = llava_449()
    (saved / "train.py").write_text("")
    config = {**_configuration(saved), "stack": "script", "script": {"path": "train.py", "arguments": []}}
    write(replace(made, config=config), saved / "program.json")
    monkeypatch.setattr("accumcheck.reproduce.programs.run_check", pytest.fail)
    assert main(["reproduce", "program.json", "--no-programs"]) == 2
    err = capsys.readouterr().err
    assert "program.json: script: would run the program" in err


def _configuration(folder: Path) -> dict[str, object]:
    """A resolved configuration with the splits of `llava_449`."""
    from accumcheck.config.load import load_config

    path = folder / "check.yaml"
    path.write_text(
        "stack: script\nscript: {path: train.py, arguments: ['{b}', '{k}']}\nglobal_batch_size: 128\n"
        "splits: [1x128x1, 4x16x2, 4x8x4, 8x1x16, 4x1x32]\n"
    )
    return load_config(path).to_dict()
