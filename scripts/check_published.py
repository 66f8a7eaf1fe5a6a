"""Run training scripts as their authors published them, and compare accumcheck's results with the right ones.

    python scripts/check_published.py                         # every row of scripts/published.yaml
    python scripts/check_published.py run_clm run_qa          # only these rows
    python scripts/check_published.py --source DIR            # with checkouts DIR/transformers and so on
    python scripts/check_published.py --installed             # those whose source is an installed package

Each row runs as ``accumcheck run`` with ``stack: script``, in its own folder. Exits with 0 if every row has the
expected result, with 1 otherwise, and with 2 for an unknown row or a source that cannot be fetched.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from published_inputs import make_inputs
from published_sources import NoSourceError, Source

MATRIX = Path(__file__).with_name("published.yaml")
STUBS = Path(__file__).with_name("evaluation_stubs")
"""Stubs for packages that download a script's metrics."""


@dataclass(frozen=True)
class Script:
    """One row of the matrix: a script, its command line, and the expected result.

    Attributes:
        id: its name.
        exit_code: the expected exit code.
        loss: the weighting rule of the reported loss, as in the report; None if it is not judged.
        gradient: the same for the gradient.
        source: the name of a source; None if ``module`` belongs to an installed package.
        path: the path in the source.
        module: a module for ``python -m``.
        arguments: its command line.
        check: configuration keys that replace the common ones.
        findings: the ids of all findings, without hints.
        says: texts that must be in a finding or in the reason of a split.
        folder: the working directory; by default an empty one. ``{source}`` is the folder of the script's source.
        release: the transformers release, in an isolated environment; None: the installed one.
        beside: further releases in that environment, each as ``name==version``.
    """

    id: str
    exit_code: int
    loss: str | None = None
    gradient: str | None = None
    source: str | None = None
    path: str | None = None
    module: str | None = None
    arguments: str = ""
    check: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    folder: str = ""
    release: str | None = None
    beside: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """The expected result, as in the table."""
        return outcome(self.exit_code, self.loss, self.gradient, self.findings)


@dataclass(frozen=True)
class Matrix:
    """The contents of the matrix file."""

    scripts: tuple[Script, ...]
    sources: Mapping[str, Source]
    common: Mapping[str, Any]
    arguments: Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """A row and its result: ``found``, as in the table, whether it is the expected one, and the time it took."""

    script: Script
    found: str
    holds: bool
    seconds: float = 0.0


def read_matrix(path: Path = MATRIX) -> Matrix:
    """Read a matrix file.

    Raises:
        KeyError, TypeError: something is missing or unknown.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    scripts = [
        Script(
            **{
                **fields,
                "findings": tuple(fields.get("findings", ())),
                "says": tuple(fields.get("says", ())),
                "beside": tuple(fields.get("beside", ())),
            }
        )
        for fields in content["scripts"]
    ]
    sources = {name: Source(name, **fields) for name, fields in content["sources"].items()}
    return Matrix(tuple(scripts), sources, content["common"], content["arguments"])


def outcome(exit_code: int, loss: str | None, gradient: str | None, findings: Sequence[str]) -> str:
    """An exit code, two rules and findings as a short text; one rule if they are equal."""
    rules = f"{loss or '-'}" + ("" if loss == gradient else f", gradient {gradient or '-'}")
    return f"{exit_code} {rules}" + (f" [{', '.join(sorted(findings))}]" if findings else "")


def judge(script: Script, exit_code: int, report: Mapping[str, Any] | None) -> Result:
    """Compare one run with its expected result.

    Args:
        script: the row that was run.
        exit_code: accumcheck's exit code.
        report: its JSON report; None if it wrote none.
    """
    if report is None:
        return Result(script, f"{exit_code} without a report", holds=False)
    findings = [finding["id"] for finding in report["findings"] if finding["severity"] != "ignore"]
    found = outcome(exit_code, report["loss_rule"], report["gradient_rule"], findings)
    said = json.dumps([report["findings"], [split["reason"] for split in report["splits"]]], ensure_ascii=False)
    unsaid = [words for words in script.says if words not in said]
    if unsaid:
        found += f" without the words {unsaid}"
    return Result(script, found, holds=found == script.expected)


def table(results: Sequence[Result]) -> str:
    """The results as text: ``script | expected | found | seconds | ok``."""
    lines = [
        ("script", "expected", "found", "seconds", "ok"),
        *(
            (one.script.id, one.script.expected, one.found, f"{one.seconds:.0f}", "yes" if one.holds else "NO")
            for one in results
        ),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    held = sum(one.holds for one in results)
    return "\n".join([text[0], "-" * max(map(len, text)), *text[1:], f"{held} of {len(results)} scripts as expected"])


def check_of(script: Script, matrix: Matrix, places: Mapping[str, str], source: Path | None) -> dict[str, Any]:
    """The configuration of a row.

    Args:
        script: the row.
        matrix: the matrix, with the common keys and arguments.
        places: the values of ``{inputs}`` and ``{out}``.
        source: the folder of the row's source.
    """
    words = filled(script.arguments, {**matrix.arguments, **places}).split()
    program = {"module": script.module} if source is None else {"path": str(source / str(script.path))}
    own = {"stack": "script", "script": {**program, "arguments": words}}
    return {**matrix.common, **own, **script.check}


def filled(text: str, places: Mapping[str, str]) -> str:
    """The text with each ``{name}`` replaced by its value. Other placeholders are left to accumcheck."""
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def run(script: Script, matrix: Matrix, folder: Path, source: Path | None) -> Result:
    """Run one row; its configuration and its report are left in ``folder``."""
    inputs = (folder / "inputs").resolve()
    make_inputs(inputs)
    own = (folder / script.id).resolve()
    own.mkdir(parents=True, exist_ok=True)
    config, report, log = own / "check.yaml", own / "report.json", own / "log.txt"
    places = {"inputs": str(inputs), "out": str(own / "out")}
    check = check_of(script, matrix, places, source)
    config.write_text(yaml.safe_dump(check, sort_keys=False), encoding="utf-8")
    report.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder.resolve() / "cache"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(STUBS), os.environ.get("PYTHONPATH", "")])),
    }
    command = [sys.executable, "-m", "accumcheck", "run", str(config), "--output", str(report)]
    command += ["--transformers", script.release] if script.release is not None else []
    command += [option for pin in script.beside for option in ("--with", pin)]
    where = filled(script.folder, {**places, "source": str(source)}) or own
    begin = time.monotonic()
    with log.open("w", encoding="utf-8") as said:
        code = subprocess.run(
            command, stdout=said, stderr=said, env=environment, cwd=where, check=False
        ).returncode  # fmt: skip
    result = judge(script, code, json.loads(report.read_text(encoding="utf-8")) if report.exists() else None)
    return Result(result.script, result.found, result.holds, time.monotonic() - begin)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", help="default: every row")
    parser.add_argument("--out", type=Path, default=Path("reports/scripts"), help="default: %(default)s")
    parser.add_argument("--source", type=Path, help="a folder with a checkout of each source under its name")
    parser.add_argument("--cache", type=Path, default=Path("build/sources"), help="default: %(default)s")
    parser.add_argument("--installed", action="store_true", help="only scripts of installed packages")
    options = parser.parse_args(argv)
    matrix = read_matrix()
    names = [script.id for script in matrix.scripts]
    if unknown := sorted(set(options.row) - set(names)):
        parser.error(f"no row {', '.join(unknown)}; there are: {', '.join(names)}")
    chosen = [
        script
        for script in matrix.scripts
        if (not options.row or script.id in options.row) and not (options.installed and script.source)
    ]
    try:
        folders = {
            name: matrix.sources[name].found_in(options.source, options.cache).resolve()
            for name in dict.fromkeys(script.source for script in chosen if script.source)
        }
    except NoSourceError as error:
        print(error, file=sys.stderr)
        return 2
    results = []
    for script in chosen:
        print(script.id, file=sys.stderr, flush=True)
        results.append(run(script, matrix, options.out, folders.get(script.source or "")))
    print(table(results))
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
