"""Mutants of the installed Trainer, accelerate and SFTTrainer: which are found? ``python benchmarks/mutants.py``.

One operator at a time is changed in memory, in the code between a micro-batch's loss and the optimizer's step. Then
accumcheck is run on the mutated stack (see README.md). ``--resume FILE`` saves results and continues from them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mutation import suites
from mutation.freely import outcome, outcome_of_sft
from mutation.mutants import Mutant, every
from mutation.runs import Ran, accused, guilty, is_another_loss, run

COLUMNS = (
    *(
        "mutated",
        "mutants",
        "not executed",
        "equivalent",
        "rounding",
        "another loss",
        "killed",
        "by a crash",
        "survived",
        "killed of those",
    ),
    *("rightly accused", "transformers kills"),
)
CHUNK = 16
"""The number of mutants in one launch. Kills are known first, so an interrupted launch only counts kills."""


@dataclass(frozen=True)
class Result:
    """The result of one mutant.

    ``fate``: killed, not executed, equivalent (all gradients in all splits, and real training, are equal to the bit),
    rounding (they differ only in the last bits, because sums are made in another order), another loss (the loss of a
    single sample has changed, and every split trains that loss) or survived; ``by``: the check that killed it, or the
    evidence that a survivor is not equivalent; ``how``: its verdict and findings, or why a split could not run;
    ``accused``: whether the splits that were found wrong are those that the mutant changes; None if no split ran to its
    end; ``theirs``: the one of transformers' tests that fails; empty if none does.
    """

    mutant: Mutant
    fate: str
    by: str = ""
    how: str = ""
    accused: bool | None = None
    theirs: str = ""


class Hunt:
    """Runs the checks of their suite on mutants, the fastest check first."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(dict.fromkeys(names))
        self.right = {ran.name: ran for ran in run([(name, "none") for name in (*self._names, *suites.LAST)])}
        self.lines = {ran.name: ran.lines for ran in run([(name, "trace") for name in self._names])}
        self._changed: dict[str, str] = {}
        self._rounded: set[str] = set()
        self._of_another_loss: set[str] = set()
        self._free: dict[str, str] = {}
        for name, ran in self.right.items():
            if ran.report.verdict != "pass":
                sys.exit(f"{name}: the unmutated stack does not pass: {ran.report.verdict}")

    def checks_of(self, mutant: Mutant) -> list[str]:
        """The checks that execute the mutated line. Some only run if they take another path through the function."""
        function = f"{mutant.module}:{mutant.function}:"
        chosen: list[str] = []
        ways: list[set[str]] = []
        for name in suites.NAMES[mutant.suite]:
            way = {line for line in self.lines[name] if line.startswith(function)}
            if f"{function}{mutant.line}" in way and not (name in suites.BY_PATH and way in ways):
                chosen.append(name)
            ways.append(way)
        return chosen

    def hunt(self, mutants: Sequence[Mutant]) -> Iterator[Result]:
        """Yields the result of each mutant."""
        left = {mutant.id: mutant for mutant in mutants}
        for mutant in mutants:
            if not self.checks_of(mutant):
                yield Result(left.pop(mutant.id), "not executed")
        for turn in range(max(map(len, suites.NAMES.values()))):
            asked = [(names[turn], id_) for id_, one in left.items() if len(names := self.checks_of(one)) > turn]
            for ran in run(asked) if asked else ():
                if (result := self._killed(left[ran.mutant], ran)) is not None:
                    del left[ran.mutant]
                    yield result
        changed = {id_: by for id_ in left if (by := self._change(left[id_]))}
        for id_, mutant in left.items():
            if id_ not in changed:
                yield Result(mutant, "rounding" if id_ in self._rounded else "equivalent")
        for name in suites.LAST:
            last = [(name, id_) for id_ in changed if left[id_].suite in suites.WITH_PROGRAM]
            for ran in run(last) if last else ():
                if (result := self._killed(left[ran.mutant], ran)) is not None:
                    del changed[ran.mutant]
                    yield result
        for id_, by in changed.items():
            yield Result(left[id_], "another loss" if id_ in self._of_another_loss else "survived", by)

    def _change(self, mutant: Mutant) -> str:
        """The evidence that a mutant that passed is not equivalent; empty if there is none."""
        if mutant.id in self._changed:
            return self._changed[mutant.id]
        really = outcome_of_sft if mutant.suite == "sft" else outcome
        if mutant.suite not in self._free:
            self._free[mutant.suite] = really("none")
            if len(self._free[mutant.suite]) != hashlib.sha256().digest_size * 2:
                sys.exit(f"real training does not end without a mutant: {self._free[mutant.suite]}")
        return "real training" if really(mutant.id) != self._free[mutant.suite] else ""

    def _killed(self, mutant: Mutant, ran: Ran) -> Result | None:
        report = ran.report
        if report.verdict == "pass" and not report.findings:
            right = self.right[ran.name]
            if is_another_loss(report, right.report):
                self._of_another_loss.add(mutant.id)
            if guilty(report, right.report):
                self._changed.setdefault(mutant.id, ran.name)
            elif ran.hashes != right.hashes:
                self._rounded.add(mutant.id)
            return None
        words = [finding.id for finding in report.findings if finding.id != "no-reference"]
        words += [split.reason.splitlines()[0][:90] for split in report.splits if split.reason][:1]
        ended = all(split.steps for split in report.splits)
        rightly = accused(report) == guilty(report, self.right[ran.name].report) if ended else None
        return Result(mutant, "killed", ran.name, f"{report.verdict}: {'; '.join(words)}", rightly)


def read(path: Path | None) -> list[Result]:
    """The results of an earlier run."""
    if path is None or not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    of = {row["mutant"]["id"]: row for row in rows}  # the last result counts
    return [Result(**{**row, "mutant": Mutant(**row["mutant"])}) for row in of.values()]


def table(results: Sequence[Result]) -> str:
    """The counts by package and the survivors, as Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    modules = list(dict.fromkeys(result.mutant.module for result in results))
    for name, mine in [*((one, [r for r in results if r.mutant.module == one]) for one in modules), ("all", results)]:
        lines.append(f"| {name} | {' | '.join(map(str, _counts(mine)))} |")
    lines += ["", *(f"survived: {_words(one.mutant)} ({one.by})" for one in results if one.fate == "survived")]
    wrongly = [one for one in results if one.accused is False]
    lines += [f"not rightly accused: {_words(one.mutant)} ({one.by}: {one.how})" for one in wrongly]
    return "\n".join(lines) + "\n"


def _counts(results: Sequence[Result]) -> list[object]:
    """The cells of `COLUMNS` after the name."""
    fates = Counter(result.fate for result in results)
    matter = [result for result in results if result.fate in ("killed", "survived")]
    judged = [result for result in results if result.accused is not None]
    theirs = [result for result in matter if result.mutant.suite in suites.WITH_PROGRAM]  # they run no code of TRL
    return [
        len(results),
        fates["not executed"],
        fates["equivalent"],
        fates["rounding"],
        fates["another loss"],
        fates["killed"],
        sum(result.how.startswith("error") for result in results),
        fates["survived"],
        f"{fates['killed'] / len(matter):.1%}" if matter else "-",
        f"{sum(bool(one.accused) for one in judged)} of {len(judged)}",
        f"{sum(bool(one.theirs) for one in theirs)} of {len(theirs)}",
    ]


def _words(mutant: Mutant) -> str:
    return f"{mutant.function}, line {mutant.line}: {mutant.before[:60]} -> {mutant.after[:60]} [{mutant.id}]"


def main() -> None:
    """Hunt, print, and write to ``--out``."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--suite", nargs="+", choices=tuple(suites.NAMES), default=list(suites.NAMES))
    options.add_argument(
        "--match", nargs="+", default=[""], metavar="TEXT", help="only mutants whose id contains one of these"
    )
    options.add_argument("--limit", type=int, metavar="N", help="only this many of them, evenly distributed")
    options.add_argument("--resume", type=Path, metavar="FILE", help="a JSON-lines file: results are added to it")
    options.add_argument("--table", action="store_true", help="run nothing, and print the table of the file's results")
    options.add_argument("--out", type=Path, metavar="FILE.md")
    given = options.parse_args()
    chosen = [mutant for mutant in every(tuple(given.suite)) if any(text in mutant.id for text in given.match)]
    if given.limit is not None and given.limit < len(chosen):
        chosen = [chosen[len(chosen) * at // given.limit] for at in range(given.limit)]
    chosen = random.Random(0).sample(chosen, len(chosen))  # so that an interrupted run has measured a random sample
    ids = {mutant.id for mutant in chosen}
    results = [result for result in read(given.resume) if result.mutant.id in ids]
    if not given.table:  # a survivor is tried again: a requirement may be installed now
        results = [result for result in results if result.fate != "survived"]
    done = {result.mutant.id for result in results}
    due = [mutant for mutant in chosen if mutant.id not in done]
    if due and not given.table:
        _hunt(due, results, given.resume)
    text = table(results)
    print(text)
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")


def _hunt(due: Sequence[Mutant], results: list[Result], path: Path | None) -> None:
    suites.make_data()
    theirs = _theirs()
    hunt = Hunt(name for mutant in due for name in suites.NAMES[mutant.suite])
    started = time.monotonic()
    for first in range(0, len(due), CHUNK):
        for result in hunt.hunt(due[first : first + CHUNK]):
            asked = result.fate in ("killed", "survived") and result.mutant.suite in suites.WITH_PROGRAM
            noticed = theirs(result.mutant.id) if asked else ""
            complete = Result(result.mutant, result.fate, result.by, result.how, result.accused, noticed)
            results.append(complete)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as stream:
                    stream.write(f"{json.dumps(asdict(complete))}\n")
        seconds = time.monotonic() - started
        print(f"{min(first + CHUNK, len(due))} of {len(due)}, {seconds:.0f} s", file=sys.stderr, flush=True)


def _theirs() -> Callable[[str], str]:
    """A function that returns which of transformers' tests finds a mutant. Their imports are made once."""
    import accelerate  # noqa: F401 - imported here once, for the processes that are forked
    import transformers.trainer  # noqa: F401
    from mutation.theirs import noticed
    from transformers import LlamaForCausalLM  # noqa: F401

    if found := noticed("none"):
        sys.exit(f"transformers' own tests, restated, fail without a mutant: {found}")
    return noticed


if __name__ == "__main__":
    main()
