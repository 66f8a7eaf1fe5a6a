"""Run published faults, and releases without a fault, and compare accumcheck's results with the known ones.

    python scripts/check_faults.py                      # every row of scripts/faults.yaml
    python scripts/check_faults.py LLAVA-449 SEQCLS     # only these rows

Each row runs as `accumcheck run --transformers RELEASE`, with `--with` for its other packages. Exits with 0 if every
row has the expected result, with 1 otherwise, and with 2 for an unknown row.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from accumcheck.environments import Request, environments, latest, parse_request
from accumcheck.errors import AccumcheckError

MATRIX = Path(__file__).with_name("faults.yaml")
EXAMPLES = Path(__file__).parents[1] / "configs" / "examples"
"""In a row, ``{examples}`` is replaced by this folder."""
FOR_READERS = ("url", "architecture")
"""Fields of a row that are not used here."""


@dataclass(frozen=True)
class Row:
    """One row of the matrix: a check, the release to run it under, and the expected result.

    ``beside``: further releases, each as ``name==version``.
    """

    id: str
    release: str
    exit_code: int
    loss: str
    gradient: str
    check: Mapping[str, Any]
    beside: tuple[str, ...] = ()

    @property
    def request(self) -> Request | None:
        """The environment of the row."""
        return parse_request(self.release, self.beside, latest=latest)

    @property
    def expected(self) -> str:
        """The expected result, as in the table."""
        return outcome(self.exit_code, self.loss, self.gradient)


@dataclass(frozen=True)
class Result:
    """A row and its result: ``found``, as in the table, and whether it is the expected one."""

    row: Row
    found: str
    holds: bool


def read_rows(path: Path = MATRIX) -> list[Row]:
    """The rows of a matrix file.

    Raises:
        KeyError, TypeError: a row has a missing or an unknown field.
    """
    matrix = yaml.safe_load(path.read_text(encoding="utf-8").replace("{examples}", str(EXAMPLES)))
    rows = []
    for fields in matrix["faults"]:
        needed = {name: value for name, value in fields.items() if name not in FOR_READERS}
        check = {**matrix["common"], **fields["check"]}
        rows.append(Row(**{**needed, "check": check, "beside": tuple(fields.get("beside", ()))}))
    return rows


def outcome(exit_code: int, loss: str, gradient: str) -> str:
    """An exit code and two rules as a short text; one rule if they are equal."""
    return f"{exit_code} {loss}" + ("" if loss == gradient else f", gradient {gradient}")


def judge(row: Row, exit_code: int, report: Mapping[str, Any] | None) -> Result:
    """Compare one run with its expected result.

    Args:
        row: the row that was run.
        exit_code: accumcheck's exit code.
        report: its JSON report; None if it wrote none.
    """
    if report is None:
        return Result(row, f"{exit_code} without a report", holds=False)
    found = outcome(exit_code, report["loss_rule"], report["gradient_rule"])
    ran = report["environment"]["transformers"]
    if ran != row.release:
        found += f" (under transformers {ran})"
    return Result(row, found, holds=found == row.expected)


def table(results: Sequence[Result]) -> str:
    """The results as text: ``id | release | expected | found | ok``."""
    lines = [
        ("id", "release", "expected", "found", "ok"),
        *(
            (result.row.id, result.row.release, result.row.expected, result.found, "yes" if result.holds else "NO")
            for result in results
        ),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    held = sum(result.holds for result in results)
    return "\n".join([text[0], "-" * max(map(len, text)), *text[1:], f"{held} of {len(results)} rows as expected"])


def run(config: Path, output: Path, release: str | None, *options: str) -> tuple[int, dict[str, Any] | None]:
    """Run accumcheck under a release; None: the installed one. Returns its exit code and its report.

    The report is kept in ``output``.
    """
    output.unlink(missing_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "accumcheck", "run", str(config.resolve()), "--quiet"]
    command += ["--output", str(output.resolve()), *options]
    if release is not None:
        command += ["--transformers", release]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    # next to the report, where a program looks for the files of `make_tiny.py`
    code = subprocess.run(
        command, stdout=subprocess.DEVNULL, env=environment, cwd=output.parent, check=False
    ).returncode
    return code, json.loads(output.read_text(encoding="utf-8")) if output.exists() else None


def run_row(row: Row, folder: Path, *, installed: str = "") -> Result:
    """Run one row; its check and its report are left in ``folder``.

    Args:
        row: the row to run.
        folder: created if it is missing.
        installed: the transformers release of this environment. A row of that release needs no other environment.
    """
    name = row.id.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{name}.yaml"
    config.write_text(yaml.safe_dump(dict(row.check), sort_keys=False), encoding="utf-8")
    if "model" not in row.check:
        make_tiny(folder / "tiny")
    release = None if row.release == installed and not row.beside else row.release
    beside = [option for pin in row.beside for option in ("--with", pin)]
    code, report = run(config, folder / f"{name}.json", release, *beside)
    return judge(row, code, report)


def make_tiny(folder: Path) -> None:
    """Make the models and the data of programs, unless they exist."""
    if not folder.exists():
        subprocess.run([sys.executable, str(EXAMPLES / "make_tiny.py"), "--into", str(folder)], check=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", help="default: every row")
    parser.add_argument("--out", type=Path, default=Path("reports/faults"), help="default: %(default)s")
    options = parser.parse_args(argv)
    rows = read_rows()
    if unknown := sorted(set(options.row) - {row.id for row in rows}):
        parser.error(f"no row {', '.join(unknown)}; there are: {', '.join(row.id for row in rows)}")
    rows = [row for row in rows if not options.row or row.id in options.row]
    results = []
    try:
        requests = [row.request for row in rows]
        with environments(requests, say=lambda text: print(text, file=sys.stderr, flush=True)):
            for row in rows:
                print(f"{row.id} under {row.request}", file=sys.stderr, flush=True)
                results.append(run_row(row, options.out))
    except AccumcheckError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(results))
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
