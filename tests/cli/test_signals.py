"""SIGINT, SIGTERM and SIGHUP: 130 at any time, no traceback, nothing left behind; what was ignored stays ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from accumcheck.cli.signals import ENDING, Signals
from tests.cli.streams import python
from tests.e2e.program import command

ROOT = Path(__file__).parents[2]
CHECK = "model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\nlauncher: {device: cpu}\n"

STRIKES = '''
"""Python runs this before the program: sends itself a signal where a module is about to be imported."""
import os, sys

def strike(event, arguments):
    if event == "import" and arguments[0] == os.environ["STRIKE_AT"]:
        os.kill(os.getpid(), int(os.environ["STRIKE"]))

sys.addaudithook(strike)
'''


def handlers(ignored: signal.Signals | None = None) -> Callable[[], None]:
    """For a child before it starts: the signals as in a terminal, whatever this suite was started with."""

    def set_handlers() -> None:
        for one in ENDING:
            signal.signal(one, signal.SIG_IGN if one == ignored else signal.SIG_DFL)

    return set_handlers


def start(
    arguments: list[str], cwd: Path, env: Mapping[str, str], ignored: signal.Signals | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
        preexec_fn=handlers(ignored),
    )


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("module", "sign"),
    [
        ("accumcheck.cli.app", signal.SIGINT),
        ("typer", signal.SIGTERM),
        ("yaml", signal.SIGHUP),
        ("accumcheck.config.load", signal.SIGINT),
        ("accumcheck.check", signal.SIGTERM),
        ("accumcheck.check", signal.SIGHUP),
        ("accumcheck.judge.judge", signal.SIGINT),  # while the workers import
    ],
)
def test_while_modules_are_imported(tmp_path: Path, module: str, sign: signal.Signals) -> None:
    (tmp_path / "sitecustomize.py").write_text(STRIKES)
    (tmp_path / "check.yaml").write_text(CHECK)
    env = {"PYTHONPATH": str(tmp_path), "STRIKE_AT": module, "STRIKE": str(int(sign))}
    process = start(command("run", "check.yaml"), tmp_path, env)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.removeprefix("importing torch and transformers\n") in (
        "accumcheck: interrupted; nothing was started\n",
        "accumcheck: interrupted; all processes were stopped\n",
    )


@pytest.mark.e2e
@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT])
def test_what_was_ignored_at_the_start_stays_ignored(tmp_path: Path, ignored: signal.Signals) -> None:
    """As under ``nohup``, and for a background job of a shell."""
    (tmp_path / "check.yaml").write_text(CHECK)
    program = python("-m", "tests.cli.planted", "pass", "run", "check.yaml")
    env = {"PYTHONPATH": str(ROOT), "PLANTED_SIGNAL": str(int(ignored))}
    process = start(program, tmp_path, env, ignored)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "(exit code 0)" in out
    other = signal.SIGHUP if ignored == signal.SIGINT else signal.SIGINT
    process = start(program, tmp_path, {**env, "PLANTED_SIGNAL": str(int(other))}, ignored)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("accumcheck: interrupted; all processes were stopped\n")


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Signals that are handled, in a process that ignores none of them."""
    before = {one: signal.signal(one, signal.SIG_DFL) for one in ENDING}
    taken = Signals(starting=False)
    taken.take()
    try:
        yield taken
    finally:
        taken.give_back()
        assert [signal.getsignal(one) for one in ENDING] == [signal.SIG_DFL] * 3
        for one, handler in before.items():
            signal.signal(one, handler)


@pytest.mark.parametrize("sign", ENDING)
def test_a_second_signal_does_not_disturb_what_the_first_has_set_off(signals: Signals, sign: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(sign)
    for one in ENDING:
        signal.raise_signal(one)


def test_a_signal_after_the_end_changes_nothing(signals: Signals) -> None:
    signals.over()
    for one in ENDING:
        signal.raise_signal(one)


EVALUATES = """
import sys
from accumcheck.cli import app, program

def stop():
    raise KeyboardInterrupt

app.execute = lambda _: eval("stop()")
sys.exit(program.main(["validate"]))
"""


@pytest.mark.process
def test_an_eval_that_was_interrupted_does_not_change_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(EVALUATES, encoding="utf-8")
    with start(python("-m", "program"), tmp_path, {}) as process:
        assert process.communicate(timeout=60)[1] == "accumcheck: interrupted; all processes were stopped\n"
    assert process.returncode == 130  # -2 where Python ends itself by SIGINT


def test_an_interruption_that_python_drops_comes_again(signals: Signals, capsys: pytest.CaptureFixture[str]) -> None:
    class Slow:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)
            sum(range(10))

    def lose_one_and_wait() -> None:
        Slow()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        lose_one_and_wait()
    assert capsys.readouterr().err == ""
