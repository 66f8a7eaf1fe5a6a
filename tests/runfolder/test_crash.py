"""What a crash shows: the exception that began it, its line, and the end of the program's own traceback."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from accumcheck.errors import WorkloadError
from accumcheck.record import Reason
from accumcheck.runfolder.crash import LINES, excerpt_of, give_hint, innermost, last_printed, place_of
from accumcheck.runfolder.failures import describe, reason_of

PROGRAM = """
from helper import load


def main():
    load({})


main()
"""


def crash(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, helper: str = "") -> BaseException:
    """What a program raises."""
    (folder / "train.py").write_text(text, encoding="utf-8")
    (folder / "helper.py").write_text(helper, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    monkeypatch.delitem(__import__("sys").modules, "helper", raising=False)
    try:
        runpy.run_path(str(folder / "train.py"), run_name="__main__")
    except BaseException as error:
        return error
    raise AssertionError("the program was to raise")


def test_the_line_and_the_programs_own_frames_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = crash(tmp_path, monkeypatch, PROGRAM, 'def load(settings):\n    return settings["data"]\n')
    # frames of this test stand for those that ran the program
    shown = [line for line in excerpt_of(error) if "^" not in line and "~" not in line]
    assert describe(error) == "KeyError: 'data' (helper.py:2)"
    assert shown[-5:] == [
        f'  File "{tmp_path}/train.py", line 6, in main',
        "    load({})",
        f'  File "{tmp_path}/helper.py", line 2, in load',
        '    return settings["data"]',
        "KeyError: 'data'",
    ]
    assert "<frozen runpy>" not in "".join(excerpt_of(error))


def test_the_place_is_the_users_line_where_a_package_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = crash(tmp_path, monkeypatch, "import torch\nx = 1\ntorch.nn.Linear(3, 4)(torch.zeros(2, 5))\n")
    assert place_of(error) == "train.py:3"
    assert "torch/nn" in "".join(excerpt_of(error))


def test_the_exception_that_began_it_is_named_with_what_it_led_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "try:\n    {}['data']\nexcept KeyError as error:\n    raise RuntimeError('incomplete') from error\n"
    error = crash(tmp_path, monkeypatch, text)
    assert isinstance(innermost(error), KeyError)
    assert describe(error) == "KeyError: 'data' (train.py:2); it led to RuntimeError: incomplete"


def test_an_import_is_told_by_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "try:\n    import not_there\nexcept ImportError as error:\n    raise RuntimeError('not imported') from error"
    reason = reason_of(crash(tmp_path, monkeypatch, text), tmp_path)
    assert (reason.kind, reason.text) == (
        "missing-package",
        "ModuleNotFoundError: No module named 'not_there' (train.py:2)",
    )


def test_what_python_cannot_read_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = crash(tmp_path, monkeypatch, "x = 1\ndef f(:\n")
    assert describe(error) == "SyntaxError: invalid syntax (train.py:2)"
    assert excerpt_of(error)[-1] == "SyntaxError: invalid syntax"


def test_no_more_than_ten_lines_are_shown_and_a_long_message_leaves_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "def f(n):\n    if n == 0:\n        raise ValueError('word\\n' * 40)\n    g(n)\ndef g(n):\n    f(n - 1)\nf(9)\n"
    )
    shown = excerpt_of(crash(tmp_path, monkeypatch, text))
    assert len(shown) == LINES
    assert shown[-4:] == ("ValueError: word", "word", "word", "...")
    assert "in f" in shown[-6]


def test_secrets_are_hidden_before_a_line_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-" + "x" * 60
    monkeypatch.setenv("MY_API_KEY", secret)
    shown = excerpt_of(crash(tmp_path, monkeypatch, f"raise ValueError('{'y' * 160}', '{secret}')"))
    assert "s3cr3t" not in "".join(shown)
    assert all(len(line) <= 200 for line in shown)


def test_an_error_of_ours_has_its_text_and_no_traceback(tmp_path: Path) -> None:
    assert reason_of(WorkloadError("no such head"), tmp_path) == Reason("crashed", "no such head")


def test_an_exit_code_is_shown_with_what_the_program_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = tmp_path / "logs" / "run" / "attempt_0" / "1"
    printed.mkdir(parents=True)
    (printed / "stderr.log").write_text("usage: train.py\n\ntrain.py: error: no such option\n", encoding="utf-8")
    error = crash(tmp_path, monkeypatch, "import sys\nsys.exit(2)\n")
    reason = reason_of(error, tmp_path, 1)
    assert reason.text == "the program exited with code 2 (train.py:2)"
    assert reason.traceback == ("usage: train.py", "train.py: error: no such option")
    assert last_printed(tmp_path / "logs", 0) == ()


def test_a_hint_follows_the_error() -> None:
    error = ValueError("no")
    give_hint(error, "do this")
    assert describe(error) == "ValueError: no; do this"


def test_what_is_raised_in_our_code_alone_is_shown_with_our_lines() -> None:
    with pytest.raises(AttributeError) as caught:
        place_of(None)  # type: ignore[arg-type]
    error = caught.value
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # without this test's own frame
    assert "crash.py:" in describe(error)
    assert excerpt_of(error)[-1].startswith("AttributeError")
