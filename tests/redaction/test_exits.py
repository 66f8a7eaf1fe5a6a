"""Every way out: each format, in files and on standard output, messages, plans, tracebacks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from accumcheck.cli import main
from accumcheck.pytest_plugin import Checker
from accumcheck.record import ConfigFile, Finding, Report
from accumcheck.record.bisection import Bisection, Step, Tried
from accumcheck.record.comparison import Comparison
from accumcheck.report.parts.search_lines import ending
from accumcheck.report.registry import EXTENSIONS, OUTPUT_FORMATS
from accumcheck.saved.reports import read_report, report_to_json
from tests.report import comparisons as of_pairs
from tests.report import examples
from tests.report.written import Record, show, write

TOKEN = "hf_" + "q7Rt" * 8
VALUE = "correct-horse-42"
SECRETS = (TOKEN, VALUE, "flagged-1", "flagged-2", "keyed-1", "keyed-2", "keyed-3", "userinfo-1")
SAID = f"login failed: {TOKEN} {VALUE} --hub_token flagged-1 password='keyed-1' https://me:userinfo-1@example.org/x"
CONFIG = """
stack: script
script: {path: train.py, arguments: [--hub_token, flagged-1, --api-key=flagged-2, --max_tokens, "5"]}
global_batch_size: 4
splits: [1x4x1, 1x2x2]
training_arguments:
  hub_token: keyed-1
  nested: [{private_key: keyed-2}, {x: {"api-key": keyed-3}}]
  hub_model_id: https://me:userinfo-1@example.org/x
"""


@pytest.fixture(autouse=True)
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_PASSWORD", VALUE)


def planted() -> Report:
    """A report of a script that failed, with secrets in every text that comes from outside."""
    report = examples.undecided()
    config = {
        **report.config,
        "script": {"path": "train.py", "arguments": ["--hub_token", "flagged-1", "--api-key=flagged-2"]},
        "training_arguments": {"hub_token": "keyed-1", "nested": [{"private_key": "keyed-2"}, {"api-key": "keyed-3"}]},
    }
    finding = Finding("x", "fail", ("4x16x2",), SAID, SAID, SAID, SAID, source=SAID)
    splits = tuple(replace(one, reason=SAID, log=SAID) if one.reason else one for one in report.splits)
    file = ConfigFile(f"{TOKEN}.yaml", 3)
    return replace(report, config=config, splits=splits, findings=(finding,), config_file=file)


def compared() -> Comparison:
    made = of_pairs.comparison(of_pairs.pair(planted(), planted(), SAID))
    return replace(made, title=SAID, old=SAID)


def searched() -> Bisection:
    tried = Tried("4.49.0", planted(), SAID)
    step = Step(tried, bad=None, meaning=SAID, left=1, steps=1)
    return Bisection("broken", SAID, tried, tried, ("4.49.0",), (tried,), (step,), config=SAID)


def assert_hidden(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []
    assert "(hidden)" in text


def test_the_secrets_would_be_seen() -> None:
    everything = repr(planted())
    assert [secret for secret in SECRETS if secret not in everything] == []


SUBJECTS: tuple[Callable[[], Record], ...] = (planted, compared, searched)


@pytest.mark.parametrize("make", SUBJECTS)
@pytest.mark.parametrize("name", OUTPUT_FORMATS)
def test_standard_output_and_the_steps_summary(
    name: str, make: Callable[[], Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    stream = io.StringIO()
    show(make(), name, stream)
    assert_hidden(stream.getvalue())
    if name == "github":
        assert_hidden(summary.read_text())


@pytest.mark.parametrize("make", SUBJECTS)
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_files(extension: str, make: Callable[[], Record], tmp_path: Path) -> None:
    path = tmp_path / f"report{extension}"
    write(make(), path)
    assert_hidden(path.read_text())


def test_json_written_by_a_program(tmp_path: Path) -> None:
    assert_hidden(report_to_json(planted()))


def test_a_report_of_a_version_that_hid_less_is_read_without_them(tmp_path: Path) -> None:
    plain = json.loads(report_to_json(replace(examples.clean(), config=planted().config)))
    plain["config"]["script"]["arguments"][1] = "flagged-1"
    (tmp_path / "old.json").write_text(json.dumps(plain))
    assert read_report(tmp_path / "old.json").config["script"]["arguments"][1] == "(hidden)"


@pytest.mark.parametrize("format_", ["table", "json"])
def test_the_printed_plan(format_: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text("")
    (tmp_path / "check.yaml").write_text(CONFIG)
    assert main(["validate", str(tmp_path / "check.yaml"), "--format", format_]) == 0
    out = capsys.readouterr().out
    assert_hidden(out)
    assert "max_tokens" in out


def test_the_printed_plan_is_still_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text("")
    (tmp_path / "check.yaml").write_text(CONFIG)
    assert main(["validate", str(tmp_path / "check.yaml")]) == 0
    (tmp_path / "again.yaml").write_text(capsys.readouterr().out)
    assert main(["validate", str(tmp_path / "again.yaml")]) == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["validate", f"{TOKEN}.yaml"], 2),
        (["validate", "check.yaml", "--set", f"training_arguments.hub_token={VALUE}", "--set", "nothing=1"], 2),
        (["validate", "check.yaml", "--set", "steps.hub_token=flagged-1"], 2),
        (["validate", "check.yaml", TOKEN], 2),
        (["run", "check.yaml", "--format", TOKEN], 2),
        (["compare", f"{TOKEN}.json", "https://me:userinfo-1@example.org/x.json"], 2),
    ],
)
def test_messages(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("")
    Path("check.yaml").write_text(CONFIG)
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert captured.err
    assert [secret for secret in SECRETS if secret in captured.out + captured.err] == []


def test_a_fault_of_accumchecks_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(SAID)

    monkeypatch.setattr("accumcheck.config.load.load_config", broken)
    assert main(["validate", "check.yaml"]) == 3
    err = capsys.readouterr().err
    assert_hidden(err)
    assert "RuntimeError: login failed: (hidden) (hidden)" in err


def test_a_test_that_fails(tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text(CONFIG)
    checker = Checker(tmp_path, "test_x.py::test_y", {})
    with pytest.raises(pytest.fail.Exception) as raised:
        checker.run("check.yaml", training_arguments={"hub_token": VALUE}, data={"jsonl": f"/{TOKEN}"})
    assert_hidden(str(raised.value))


def test_lines_of_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    from accumcheck.redaction import redacted

    assert_hidden("\n".join(ending(redacted(searched()))))
