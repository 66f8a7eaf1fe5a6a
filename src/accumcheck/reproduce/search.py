"""Search for the smallest case that shows a fault. Each step is checked by running the script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accumcheck.record import Split
from accumcheck.reproduce.case import Case, Heading, NotReproducedError, Outcome, Subject
from accumcheck.reproduce.script import TooLongError, script
from accumcheck.reproduce.shown import Expected

Describe = Callable[[Mapping[str, Any]], Subject]
Run = Callable[[str, int], Outcome]
Compare = Callable[[str, Split], Outcome]
"""Runs the script of a split. A script that shows another fault counts as not showing it."""
Say = Callable[[str], None]

ANYTHING = Expected(None, None)
MOST_SPLITS = 8
"""The largest number of splits that are tried."""
SMALLER: tuple[tuple[str, Mapping[str, Any]], ...] = (("one layer", {"layers": 1}), ("short rows", {"longest": 6}))
"""Smaller models and rows, tried in this order. Each is kept if the script still shows the fault."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A script that shows the fault, its output, and its case."""

    case: Case
    text: str
    outcome: Outcome


def smallest(
    case_of: Callable[[Split, Subject], Case],
    splits: Sequence[Split],
    asked: Mapping[str, Any],
    heading: Heading,
    *,
    describe: Describe,
    run: Run,
    say: Say,
    expected: Expected = ANYTHING,
) -> Reproduction:
    """The smallest reproduction: first the smallest split that shows the fault, then a smaller model and shorter rows.

    Args:
        case_of: makes a case from a split and a subject.
        splits: the splits to try, in order.
        asked: the request for a model, see `accumcheck.reproduce.describe`.
        heading: the text at the top of the script.
        describe: makes a subject.
        run: runs a script on a number of processes.
        say: called with one line for each step.
        expected: what the script must show. Another fault does not count.

    Raises:
        NotReproducedError: no script shows the fault.
    """

    def run_and_compare(text: str, split: Split) -> Outcome:
        outcome = run(text, split.num_processes)
        other = expected.mismatch(outcome.output, split) if outcome.shows else ""
        return Outcome(0, f"{outcome.output}; {other}") if other else outcome

    tried: list[str] = []
    for split in splits[:MOST_SPLITS]:
        found, used = _first(
            case_of, split, {**asked, "rows": split.global_batch_size}, heading, describe, run_and_compare
        )
        say(f"{split}: {_words(found)}")
        if isinstance(found, Reproduction):
            return _shrunk(found, case_of, used, heading, describe, run_and_compare, say)
        tried.append(f"{split}: {_words(found)}")
    raise NotReproducedError("no small script shows the fault: " + ("; ".join(tried) or "no split is small enough"))


def _first(
    case_of: Callable[[Split, Subject], Case],
    split: Split,
    asked: Mapping[str, Any],
    heading: Heading,
    describe: Describe,
    run: Compare,
) -> tuple[Reproduction | Outcome, Mapping[str, Any]]:
    """Try a split with the requested model; if the script would be too long, with a smaller model."""
    smallest_model = {**asked, **{key: value for _, change in SMALLER for key, value in change.items()}}
    try:
        return _try(case_of(split, describe(asked)), heading, run), asked
    except TooLongError:
        try:
            return _try(case_of(split, describe(smallest_model)), heading, run), smallest_model
        except TooLongError as error:
            return Outcome(2, str(error)), smallest_model


def _shrunk(
    found: Reproduction,
    case_of: Callable[[Split, Subject], Case],
    asked: Mapping[str, Any],
    heading: Heading,
    describe: Describe,
    run: Compare,
    say: Say,
) -> Reproduction:
    """Remove what the fault does not need, one thing after the other."""

    def kept(what: str, case: Case) -> bool:
        nonlocal found
        tried = _try(case, heading, run)
        say(f"{what}: {_words(tried)}")
        if isinstance(tried, Reproduction):
            found = tried
        return isinstance(tried, Reproduction)

    for what, change in SMALLER:
        smaller = {**asked, **change}
        if smaller == asked:
            continue
        try:
            subject = describe(smaller)
        except NotReproducedError:
            continue
        if kept(what, replace(case_of(found.case.split, subject), arguments=found.case.arguments)):
            asked = smaller
    if found.case.arguments and not kept("without training_arguments", replace(found.case, arguments={})):
        for name in list(found.case.arguments) if len(found.case.arguments) > 1 else []:
            fewer = {key: value for key, value in found.case.arguments.items() if key != name}
            kept(f"without {name}", replace(found.case, arguments=fewer))
    return found


def _try(case: Case, heading: Heading, run: Compare) -> Reproduction | Outcome:
    """Run the script of a case. A script that cannot be written counts as one that cannot run.

    Raises:
        TooLongError: the script would be too long.
    """
    try:
        text = script(case, heading)
    except TooLongError:
        raise
    except ValueError as error:
        return Outcome(2, str(error))
    outcome = run(text, case.split)
    return Reproduction(case, text, outcome) if outcome.shows else outcome


def _words(found: Reproduction | Outcome) -> str:
    if isinstance(found, Reproduction):
        return f"shows it ({found.outcome.output})"
    words = (found.output.strip().splitlines() or [""])[-1]
    return f"does not show it ({words})" if found.code == 0 else f"cannot run ({words})"
