"""Right runs of many kinds, each of which must pass: ``python benchmarks/clean_runs.py --resume FILE``.

Cases are drawn by number, the same each time, over stacks, models, dtypes, splits and lengths (`clean/draw.py`).
Results are kept in a JSON-lines file, so that a run goes on where it ended and can grow: ``--until 1000``.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clean.draw import DATA, case

from accumcheck.check import run_checks
from accumcheck.record import Report

CHUNK = 60
"""Cases in one launch, which imports everything once."""
HERE = str(Path(__file__).parent)
MAKE_TINY = Path(__file__).parents[1] / "configs" / "examples" / "make_tiny.py"


def upper_bound(alarms: int, runs: int, confidence: float = 0.95) -> float:
    """The largest rate of false alarms under which so few would still be seen: exact, one-sided (Clopper and Pearson).

    By bisection on the binomial distribution.
    """
    if alarms >= runs:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        seen = sum(math.comb(runs, count) * rate**count * (1 - rate) ** (runs - count) for count in range(alarms + 1))
        low, high = (rate, high) if seen > 1 - confidence else (low, rate)
    return high


def row(number: int, traits: Any, report: Report) -> dict[str, Any]:
    """One result as JSON types; ``nearest``: the largest share of a tolerance that any split took up."""
    return {
        "number": number,
        "traits": dict(traits),
        "verdict": report.verdict,
        "findings": [f"{finding.id}: {finding.summary}" for finding in report.findings],
        "reasons": sorted({split.reason for split in report.splits if split.reason}),
        "nearest": _nearest(report),
        "seconds": report.duration_seconds,
    }


def _nearest(report: Report) -> float | None:
    tolerances = report.tolerances
    if tolerances is None:
        return None
    names = ("loss", "grad_norm", "gradient", "weights")
    of_samples = [step.vs_reference.sample or 0.0 for split in report.splits for step in split.steps]
    return max(
        *of_samples,
        *(
            (getattr(found, name) or 0.0) / (getattr(tolerances, name) or 1.0)
            for split in report.splits
            for step in split.steps
            for found in (step.vs_control, step.vs_reference)
            for name in names
        ),
        0.0,
        0.0,
    )


def is_alarm(result: dict[str, Any]) -> bool:
    """Whether a right run was called wrong, or warned of."""
    return result["verdict"] in ("fail", "warn")


def summary(results: Sequence[dict[str, Any]]) -> str:
    """The count of false alarms with its exact bound, the traits that were drawn, and every run that did not pass."""
    decided = [one for one in results if one["verdict"] in ("pass", "warn", "fail")]
    alarms = sum(map(is_alarm, decided))
    lines = [
        f"False alarms: {alarms} of {len(decided)} right runs; at 95 % confidence the rate is below "
        f"{upper_bound(alarms, len(decided)):.2%} (exact, one-sided).",
        f"Not decided: {len(results) - len(decided)}. Splits: {sum(_splits(one) for one in decided)}. Largest share of "
        f"a tolerance that rounding took up: {max((one['nearest'] or 0.0 for one in decided), default=0.0):.2f}.",
        "",
        "| trait | runs |",
        "| --- | --- |",
    ]
    for trait in ("stack", "model", "dtype", "lengths", "checkpointing", "autocast", "epoch", "splits"):
        counts = Counter(one["traits"][trait] for one in decided if trait in one["traits"])
        lines.append(f"| {trait} | {', '.join(f'{value} {count}' for value, count in counts.most_common())} |")
    for one in results:
        if one["verdict"] != "pass":
            words = "; ".join([*one["findings"], *one["reasons"]])[:300]
            lines.append(f"{one['number']}: {one['verdict']}: {_words(one['traits'])}: {words}")
    return "\n".join(lines) + "\n"


def _splits(result: dict[str, Any]) -> int:
    return len(result["traits"]["splits"].split())


def _words(traits: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in traits.items())


def main() -> None:
    """Run what is missing, print, and write to ``--out``."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--until", type=int, default=300, metavar="N", help="cases 0 to N - 1 (300)")
    options.add_argument("--only", type=int, nargs="+", metavar="N", help="these cases alone")
    options.add_argument("--resume", type=Path, metavar="FILE", help="a JSON-lines file: results are added to it")
    options.add_argument("--out", type=Path, metavar="FILE.md")
    given = options.parse_args()
    asked = given.only or range(given.until)
    kept = given.resume.read_text(encoding="utf-8").splitlines() if given.resume and given.resume.exists() else []
    results = [one for one in map(json.loads, kept) if one["number"] in asked]
    due = sorted(set(asked) - {one["number"] for one in results})
    if due and not DATA.exists():
        subprocess.run([sys.executable, str(MAKE_TINY), "--into", str(DATA)], check=True)
    for first in range(0, len(due), CHUNK):
        cases = [case(number) for number in due[first : first + CHUNK]]
        reports = run_checks([one.check for one in cases], path=[HERE])
        for one, report in zip(cases, reports, strict=True):
            results.append(row(one.number, one.traits, report))
            print(
                f"{len(results)} of {len(asked)}: {report.verdict}: {_words(dict(one.traits))}",
                file=sys.stderr,
                flush=True,
            )
            if given.resume:
                with given.resume.open("a", encoding="utf-8") as stream:
                    stream.write(f"{json.dumps(results[-1])}\n")
    text = summary(results)
    print(text)
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    sys.exit(1 if any(map(is_alarm, results)) else 0)


if __name__ == "__main__":
    main()
