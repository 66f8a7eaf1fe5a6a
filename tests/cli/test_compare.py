"""``accumcheck compare``, as a user meets it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from accumcheck.cli import main
from accumcheck.record import Report
from accumcheck.saved.comparisons import comparison_schema as schema
from tests.report import examples
from tests.report.comparisons import same_splits
from tests.report.written import write


def drifted(report: Report, factor: float) -> Report:
    """The whole run with other losses: the reference's, and those of the splits, which agree with it."""
    return replace(
        report,
        reference=tuple(replace(step, loss=step.loss * factor) for step in report.reference),
        splits=tuple(
            replace(split, steps=tuple(replace(step, loss=(step.loss or 0.0) * factor) for step in split.steps))
            for split in report.splits
        ),
    )


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Reports in files, in the working directory."""
    monkeypatch.chdir(tmp_path)
    reports: dict[str, Report] = {
        "clean": examples.clean(),
        "llava": examples.llava_449(),
        "undecided": examples.undecided(),
        "other": replace(examples.clean(), config={**examples.clean().config, "seed": 1}),
        "same": same_splits(),
        "drifted": drifted(examples.clean(), 1.1),
    }
    for name, report in reports.items():
        write(report, tmp_path / f"{name}.json")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["clean.json", "clean.json"], 0),
        (["clean.json", "llava.json"], 1),
        (["llava.json", "same.json"], 0),
        (["llava.json", "clean.json"], 3),
        (["llava.json", "clean.json", "--allow-missing"], 0),
        (["same.json", "clean.json"], 3),
        (["same.json", "clean.json", "--allow-missing"], 0),
        (["llava.json", "llava.json"], 0),
        (["clean.json", "undecided.json"], 3),
        (["undecided.json", "clean.json"], 3),
        (["clean.json", "drifted.json"], 1),
        (["clean.json", "drifted.json", "--allow-drift"], 0),
    ],
)
def test_exit_codes(saved: Path, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    # the words may be wrapped inside "(exit code 1: ...)"
    assert f"(exit code {code}" in " ".join(captured.out.split())
    assert captured.out.startswith(f"accumcheck compare: {arguments[0]} -> {arguments[1]}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["clean.json", "none.json"], "none.json: cannot be read: No such file or directory"),
        (["broken.json", "clean.json"], "broken.json: found JSON that ends in the middle"),
        (["clean.json", "other.json"], "seed: nothing in the old report, 1 in the new"),
        (["clean.json", "llava.json", "--format", "pdf"], "--format pdf: no such format"),
        (["clean.json", "llava.json", "-o", "report.pdf"], "report.pdf: no report format has the extension .pdf"),
        (["clean.json"], "NEW.json"),
    ],
)
def test_what_cannot_be_compared_is_a_message_and_exit_2(
    saved: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (saved / "broken.json").write_text('{"schema_version"')
    assert main(["compare", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""


def test_json_alone_on_standard_output_and_files_beside_it(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["compare", "clean.json", "llava.json", "--format", "json", "-o", "c.md", "-o", "c.xml", "-o", "c.html"])
        == 1
    )
    plain = json.loads(capsys.readouterr().out)
    jsonschema.validate(plain, schema())
    assert (plain["from"], plain["to"], plain["exit_code"]) == ("old", "new", 1)
    assert (saved / "c.md").read_text().startswith("## accumcheck compare: clean.json -\\> llava.json: fail")
    assert all((saved / name).stat().st_size for name in ("c.xml", "c.html"))


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "upgrade"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()
