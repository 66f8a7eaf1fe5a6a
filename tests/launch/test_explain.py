"""One line of why a job failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.launch.endings import ending
from accumcheck.launch.explain import End, explain
from accumcheck.record import Reason
from accumcheck.runfolder.job import Failure, Job
from accumcheck.runfolder.space import EXIT_NO_SPACE

JOB = Job("2x2x2", 2, Path("/run/2x2x2"), CheckConfig(ModelConfig(), 8, None), "cpu", "gloo")
SAID = Failure(Reason("refused", "training changed 1 of 2 parameters"), common=True)
LOST = Failure(Reason("crashed", "RuntimeError: Connection closed by peer"))
FULL = "no space left on the device mounted at /tmp"
LEFT = (
    "process 0 of 2 ended with exit code 0 before its training was over; the program ends or replaces its own process "
    "(os._exit, os.execv, exit in C code)"
)
DEAD = "the fork server (process 7) was killed by SIGKILL"


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (End(exits={1: 3}), "process 1 of 2 ended with exit code 3"),
        (End(exits={1: 255}), "process 1 of 2 ended with exit code 255"),
        (End(exits={0: -15, 1: 3}), "process 1 of 2 ended with exit code 3"),
        (End(exits={0: -11}), "process 0 of 2 was killed by SIGSEGV"),
        (
            End(exits={0: -9}),
            "process 0 of 2 was killed by SIGKILL; the system may have run out of memory",
        ),
        # the other process only lost its connection, and was ended or ended itself
        (
            End(exits={0: 1, 1: -9}, errors=[LOST]),
            "process 1 of 2 was killed by SIGKILL; the system may have run out of memory",
        ),
        (
            End(exits={0: -9, 1: -9}, killed=frozenset({0}), errors=[LOST]),
            "process 1 of 2 was killed by SIGKILL; the system may have run out of memory",
        ),
        (
            End(exits={1: -9}, errors=[LOST]),
            "process 1 of 2 was killed by SIGKILL; the system may have run out of memory",
        ),
        (
            End(exits={0: 255}, errors=[LOST], server_death=DEAD),
            f"{DEAD}; it starts all processes of the run, and they end with it",
        ),
        (End(exits={0: -7}, full=FULL), FULL),
        (End(exits={0: -11}, full=FULL), "process 0 of 2 was killed by SIGSEGV"),
        (End(error=EOFError("Ran out of input"), full=FULL), FULL),
        (
            End(error=RuntimeError("no route\nmore"), seconds=4.4, endpoint="10.0.0.1:29500"),
            "torchrun's agent failed at 10.0.0.1:29500 after 4 s: RuntimeError: no route",
        ),
        (End(seconds=11.0, left=frozenset({0})), LEFT),
        (End(exits={1: -9}, killed=frozenset({1}), errors=[LOST], left=frozenset({0})), LEFT),
        (End(exits={1: -11}, left=frozenset({0})), "process 1 of 2 was killed by SIGSEGV"),
        (End(seconds=31.0, killed=frozenset({0, 1})), "torchrun's agent did not return after 31 s"),
    ],
)
def test_the_cause_is_named(end: End, text: str) -> None:
    assert explain(JOB, end) == Failure(Reason("crashed", text))


def test_the_first_workers_own_words_come_before_codes() -> None:
    assert explain(JOB, End(exits={0: 1, 1: 1}, errors=[SAID, LOST])) == SAID
    # what we killed ourselves was no cause
    assert explain(JOB, End(exits={0: 1, 1: -9}, killed=frozenset({1}), errors=[SAID])) == SAID
    assert explain(JOB, End(exits={0: 1}, errors=[SAID], full=FULL)) == SAID


def test_a_process_that_could_not_write_its_words_has_a_code_for_them() -> None:
    assert explain(JOB, End(exits={0: EXIT_NO_SPACE})).reason.text.startswith("no space left on the device mounted at ")


def test_a_signal_without_a_name_has_its_number() -> None:
    assert ending(-64) in ("was killed by SIGRTMAX", "was killed by signal 64")
    assert ending(-40) == "was killed by signal 40"
