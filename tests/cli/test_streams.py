"""Standard streams that are gone, full or closed: no traceback, no lost file, no pass that is none."""

from __future__ import annotations

import io
import itertools
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from accumcheck.cli.streams import Sink, StandardStreams, text_stream
from accumcheck.report.progress import Progress
from tests.cli.streams import STATES, State, Stream, python, run
from tests.e2e.program import write_config, write_faulty_model
from tests.report import examples
from tests.report.written import write

CHECK = "model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\nlauncher: {device: cpu}\n"

ENDS_EARLY = {
    "--help": 0,
    "--version": 0,
    "--nosuch": 2,
    "run wrong.yaml": 2,
    "validate right.yaml": 0,
    "validate wrong.yaml": 2,
    "upgrade wrong.yaml --to 4.49.0": 2,
    "bisect wrong.yaml --good 4.48.3 --bad 4.49.0": 2,
    "selftest --format pdf": 2,
    "compare clean.json clean.json": 0,
    "compare clean.json llava.json": 1,
    "compare clean.json undecided.json": 3,
    "init -o new.yaml --force": 0,
    "environments list": 0,
    "hotfix list": 0,
    "hotfix show nosuch": 2,
    "schema config": 0,
}
"""Command lines, and the exit code where all that is said arrives."""

TRAINS = {
    "pass run right.yaml": 0,
    "fail run right.yaml --format json": 1,
    "undecided run right.yaml": 3,
    "pass upgrade right.yaml --to 4.49.0": 0,
    "fail upgrade right.yaml --to 4.49.0": 1,
    "pass bisect right.yaml --good 4.48.3 --bad 4.49.0": 0,
    "undecided bisect right.yaml --good 4.48.3 --bad 4.49.0": 3,
    "pass selftest --format markdown": 0,
    "fail selftest": 1,
    "undecided selftest": 3,
}
"""Outcomes that are planted, each with a command line that comes to it; and the exit code."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with configurations and saved reports."""
    (tmp_path / "right.yaml").write_text(CHECK)
    (tmp_path / "wrong.yaml").write_text("model: {}\nnosuch: 1\n")
    for name, report in (
        ("clean", examples.clean()),
        ("llava", examples.llava_449()),
        ("undecided", examples.undecided()),
    ):
        write(report, tmp_path / f"{name}.json")
    return tmp_path


def expected(code: int, state: State) -> int:
    """A pass that was not printed is none; every other code stays."""
    return 3 if code == 0 and state.out != "kept" else code


def in_turn(lines: Iterable[str], states: Sequence[State]) -> list[tuple[str, State]]:
    """Every line under one of the states: each needs a process of its own, and what they share is in ``main``."""
    return list(zip(lines, itertools.cycle(states)))


@pytest.mark.e2e
def test_commands_that_end_early(place: Path) -> None:
    env = {"ACCUMCHECK_CACHE": str(place / "cache")}
    pairs = [*in_turn(ENDS_EARLY, STATES), *(("--version", state) for state in STATES)]
    with ThreadPoolExecutor(2) as pool:
        ended = list(
            pool.map(lambda one: run(python("-m", "accumcheck", *one[0].split()), one[1], cwd=place, env=env), pairs)
        )
    codes = [(line, str(state), one.code) for (line, state), one in zip(pairs, ended, strict=True)]
    assert codes == [(line, str(state), expected(ENDS_EARLY[line], state)) for line, state in pairs]
    said = [one.out + one.err for one in ended]
    assert [text for text in said if "Traceback" in text or "bug in accumcheck" in text] == []


@pytest.mark.e2e
def test_verdicts_and_files(place: Path) -> None:
    root = Path(__file__).parents[2]
    pairs = [*in_turn(TRAINS, STATES), *(("pass run right.yaml", state) for state in STATES[1:])]

    def one_of(numbered: tuple[int, tuple[str, State]]) -> tuple[int, str, int]:
        number, (line, state) = numbered
        file = place / f"{number}.md"
        command = python("-m", "tests.cli.planted", *line.split(), "-o", file)
        ended = run(command, state, cwd=place, env={"PYTHONPATH": str(root)})
        return ended.code, ended.out + ended.err, file.stat().st_size

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one_of, enumerate(pairs)))
    codes = [(line, str(state), code) for (line, state), (code, _, _) in zip(pairs, found, strict=True)]
    assert codes == [(line, str(state), expected(TRAINS[line], state)) for line, state in pairs]
    assert [said for _, said, _ in found if "Traceback" in said] == []
    assert [size for _, _, size in found if size < 100] == []


@pytest.mark.e2e
def test_env(tmp_path: Path) -> None:
    assert run(python("-m", "accumcheck", "env"), STATES[2], cwd=tmp_path).code == 3


@pytest.mark.e2e
def test_what_arrives_is_not_touched_and_the_codes_are_the_commands(place: Path) -> None:
    """The other tests of this file can tell: with whole streams the codes are these, and a pass is 0."""
    for line in ("--version", "compare clean.json clean.json", "compare clean.json llava.json", "--nosuch"):
        ended = run(python("-m", "accumcheck", *line.split()), cwd=place)
        assert ended.code == ENDS_EARLY[line]
        assert bool(ended.out) != bool(ended.err)


@pytest.mark.e2e
def test_the_reason_is_said_on_standard_error(tmp_path: Path) -> None:
    ended = run(python("-m", "accumcheck", "--version"), State(out="full"), cwd=tmp_path)
    assert ended.err == (
        "accumcheck: standard output could not be written: No space left on device; "
        "what was printed there is incomplete (exit code 3)\n"
    )


@pytest.mark.e2e
def test_a_run_that_fails_ends_with_1_although_nobody_reads(tmp_path: Path) -> None:
    """A real run, whose model takes no notice of the token count that it is given."""
    config = write_config(tmp_path, model=write_faulty_model(tmp_path), steps=1)
    command = python("-m", "accumcheck", "run", config, "-o", tmp_path / "r.json")
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$@" 2>&1 | head -1', "bash", *command],
        env={**os.environ, "PLANTED": "uncounted:-1:0"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 1
    assert (done.stdout, done.stderr) == ("importing torch and transformers\n", "")
    assert '"verdict": "fail"' in (tmp_path / "r.json").read_text()


@pytest.mark.e2e
@pytest.mark.parametrize("state", [State(out="gone", err="closed", stdin_closed=True), State(err="full")], ids=str)
def test_a_run_that_passes_is_no_pass_where_something_cannot_be_printed(tmp_path: Path, state: State) -> None:
    config = write_config(tmp_path, steps=1)
    ended = run(python("-m", "accumcheck", "run", config, "-o", "r.json"), state, cwd=tmp_path)
    assert ended.code == 3
    assert '"verdict": "pass"' in (tmp_path / "r.json").read_text()


SAYS = """
import sys
from accumcheck.cli import app, program

def execute(_):
    if "quiet" not in sys.argv:
        print("importing", file=sys.stderr)
    print("a report")
    return int(sys.argv[1])

app.execute = execute
sys.exit(program.main())
"""


@pytest.mark.process
@pytest.mark.parametrize("err", ["gone", "full", "closed"])
@pytest.mark.parametrize(("arguments", "code"), [("0", 3), ("1", 1), ("2", 2), ("0 quiet", 0), ("1 quiet", 1)])
def test_a_pass_needs_all_of_standard_error(tmp_path: Path, err: Stream, arguments: str, code: int) -> None:
    ended = run(python("-c", SAYS, *arguments.split()), State(err=err), cwd=tmp_path)
    assert (ended.code, ended.out) == (code, "a report\n")


@pytest.mark.e2e
def test_what_the_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "ĝ.yaml").write_text(CHECK)
    ended = run(python("-m", "accumcheck", "validate", "ĝ.yaml"), cwd=tmp_path, env={"PYTHONIOENCODING": "iso-8859-1"})
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("# \\u011d.yaml is valid\n")


OPENS = """
import os, subprocess, sys
from accumcheck.cli.streams import StandardStreams
streams = StandardStreams()
streams.take()
with open("told", "w") as file:
    print(file.fileno(), file=file, flush=True)
    child = "import os; print([os.fstat(one).st_rdev == os.stat(os.devnull).st_rdev for one in (0, 1, 2)])"
    subprocess.run([sys.executable, "-c", child], check=True)
    subprocess.run([sys.executable, "-c", "import os; os.fstat(0), os.fstat(1), os.fstat(2)"], check=True)
print("lost")
sys.exit(5 if any(streams.settle()) else 6)
"""


@pytest.mark.e2e
def test_files_do_not_take_the_numbers_of_absent_streams(tmp_path: Path) -> None:
    ended = run(python("-c", OPENS), State(out="closed", err="closed", stdin_closed=True), cwd=tmp_path)
    assert ended.code == 5
    number, *rest = (tmp_path / "told").read_text().splitlines()
    assert int(number) > 2
    assert rest == []  # what the children printed went to /dev/null, not into the file


def test_a_stream_that_is_not_the_processs_own_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = io.StringIO()
    monkeypatch.setattr(sys, "stdout", captured)
    streams = StandardStreams()
    streams.take()
    try:
        assert sys.stdout is captured
        print("said")
        assert streams.settle() == (None, None)
    finally:
        streams.give_back()
    assert captured.getvalue() == "said\n"


def test_a_sink_writes_everything_and_waits_for_a_slow_reader() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    received: list[bytes] = []
    with os.fdopen(reading, "rb") as end:
        reader = threading.Thread(target=lambda: received.append(end.read()))
        sink = Sink(writing)
        stream = text_stream(sink, None)
        threading.Timer(0.2, reader.start).start()
        stream.write("x" * 1_000_000)
        stream.flush()
        os.close(writing)
        reader.join(20)
    assert sink.lost is None
    assert received == [b"x" * 1_000_000]


def test_a_sink_remembers_the_first_error_and_drops_the_rest() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    sink = Sink(writing)
    stream = text_stream(sink, None)
    try:
        for _ in range(3):
            stream.write("x" * 100_000)
            stream.flush()
    finally:
        os.close(writing)
    assert isinstance(sink.lost, BrokenPipeError)


def test_the_display_of_a_terminal_that_goes_away_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    leader, follower = pty.openpty()
    sink = Sink(follower)
    try:
        with Progress(text_stream(sink, None)) as progress:
            assert progress.redraws
            progress.planned(["1x8x1"], 1, 8)
            os.close(leader)
            progress.line("a line that stays")
            progress.finished("1x8x1", "ran", 1.0)
    finally:
        os.close(follower)
    assert sink.lost is not None
