"""The program with a made-up outcome in the place of training: ``python -m tests.cli.planted OUTCOME ARGUMENT...``.

The command line, the progress, the reports, the files and the exit code are real. ``PLANTED_SIGNAL``: the number of a
signal that the process sends itself where it would train.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from accumcheck.cli import main


def plant(command: str, outcome: str) -> None:
    """Let a command come to this outcome at once: ``pass``, ``fail`` or ``undecided``."""
    if command == "run":
        from accumcheck import check
        from tests.report import examples

        made = {"pass": examples.clean, "fail": examples.llava_449, "undecided": examples.undecided}
        check.run_check = instead(made[outcome])
    elif command == "upgrade":
        from accumcheck.compare import upgrade
        from tests.report import comparisons as pairs

        compared = {"pass": pairs.fixed, "fail": pairs.broken, "undecided": pairs.undecided}
        upgrade.run_upgrade = instead(compared[outcome])
    elif command == "bisect":
        from accumcheck.compare import bisect

        bisect.run_bisect = instead(lambda: found("4.49.0") if outcome == "pass" else found("4.49.0", "4.50.0"))
    else:
        from accumcheck.selftest import run

        run.run_selftest = instead(lambda: selftested(outcome))


def instead(make: Callable[[], Any]) -> Any:
    """A function that takes anything and returns what ``make`` does."""

    def run(*_: object, **__: object) -> Any:
        if number := os.environ.get("PLANTED_SIGNAL"):
            os.kill(os.getpid(), int(number))
        return make()

    return run


def found(*candidates: str) -> Any:
    """What a search comes to: a release, or several that could not be told apart."""
    from accumcheck.record.bisection import Bisection, Step, Tried
    from tests.report import examples

    before, after = Tried("4.48.3", examples.clean()), Tried(candidates[-1], examples.llava_449())
    meaning = "the check fails"
    steps = (Step(before, False, meaning, 1, 1), Step(after, True, meaning, 0, 0))
    skipped = tuple(Tried(one, None, "no wheel for this Python") for one in candidates[:-1])
    return Bisection("broken", meaning, before, after, candidates, skipped, steps)


def selftested(outcome: str) -> Any:
    """Cases that hold, one that does not, or one that could not be decided."""
    from accumcheck.selftest.cases import CLEAN, FAULTY
    from accumcheck.selftest.run import outcome_of
    from tests.report import examples

    case = FAULTY[0] if outcome == "fail" else CLEAN[0]
    return [outcome_of(case, examples.undecided() if outcome == "undecided" else examples.clean())]


if __name__ == "__main__":
    plant(sys.argv[2], sys.argv.pop(1))
    sys.exit(main())
