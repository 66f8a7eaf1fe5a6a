"""The flags of a program, read from its source in whatever way it declares them."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.source.files import files_of
from accumcheck.source.flags.flag import Flag
from accumcheck.source.flags.found import flags_in


def flags(folder: Path, text: str, **others: str) -> dict[str, Flag]:
    (folder / "train.py").write_text(text, encoding="utf-8")
    for name, more in others.items():
        (folder / f"{name}.py").write_text(more, encoding="utf-8")
    return {flag.name: flag for flag in flags_in(list(files_of(folder / "train.py")))}


ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("-b", "--batch-size", type=int, default=8, help="x")
parser.add_argument("--data", required=True)
parser.add_argument("--fp16", action="store_true")
parser.add_argument("--compile", action=argparse.BooleanOptionalAction)
parser.add_argument("--epochs", dest="num_epochs", default=2 * 3)
parser.add_argument("model")
parser.add_argument("rest", nargs="*")
group = parser.add_argument_group("more")
group.add_argument("--lr", default=some_function())
"""


def test_argparse(tmp_path: Path) -> None:
    found = flags(tmp_path, ARGPARSE)
    assert found == {
        "--batch-size": Flag(("--batch-size", "-b"), "batch_size", default=8),
        "--data": Flag(("--data",), "data", required=True),
        "--fp16": Flag(("--fp16",), "fp16", takes_value=False),
        "--compile": Flag(("--compile",), "compile", takes_value=False),
        "--epochs": Flag(("--epochs",), "num_epochs", default=6),
        "model": Flag((), "model", required=True),
        "rest": Flag((), "rest"),
        "--lr": Flag(("--lr",), "lr"),
    }


def test_flags_in_a_module_beside_the_script_are_found_too(tmp_path: Path) -> None:
    found = flags(tmp_path, "from options import parse\n", options=ARGPARSE)
    assert "--batch-size" in found


CLICK = """
import click
@click.command()
@click.option("--batch-size", "-b", default=8)
@click.option("--shuffle/--no-shuffle", default=True)
@click.option("--verbose", is_flag=True)
@click.argument("data")
def main(batch_size, shuffle, verbose, data): ...
"""


def test_click(tmp_path: Path) -> None:
    assert flags(tmp_path, CLICK) == {
        "--batch-size": Flag(("--batch-size", "-b"), "batch_size", default=8),
        "--shuffle": Flag(("--shuffle",), "shuffle", default=True, takes_value=False),
        "--verbose": Flag(("--verbose",), "verbose", takes_value=False),
        "data": Flag((), "data", required=True),
    }


def test_absl(tmp_path: Path) -> None:
    text = "from absl import flags\nflags.DEFINE_integer('batch_size', 32, 'help')\n"
    assert flags(tmp_path, text) == {"--batch_size": Flag(("--batch_size",), "batch_size", default=32)}


CLASSES = """
from dataclasses import dataclass, field
from transformers import HfArgumentParser
@dataclass
class Mine:
    data: str
    micro_batch: int = 4
    steps: int = field(default=10, metadata={"help": "x"})
    names: list = field(default_factory=list)
    debug: bool = False
@dataclass
class NotAsked:
    other: int = 1
args, = HfArgumentParser((Mine,)).parse_args_into_dataclasses()
"""


def test_dataclasses_of_a_parser(tmp_path: Path) -> None:
    assert flags(tmp_path, CLASSES) == {
        "--data": Flag(("--data",), "data", required=True),
        "--micro_batch": Flag(("--micro_batch",), "micro_batch", default=4),
        "--steps": Flag(("--steps",), "steps", default=10),
        "--names": Flag(("--names",), "names"),
        "--debug": Flag(("--debug",), "debug", default=False, takes_value=False),
    }


TYPER = """
import typer
from typing import Annotated
app = typer.Typer()
@app.command()
def train(data: str, batch_size: int = 8, accum: Annotated[int, typer.Option("--accumulate", "-k")] = 4,
          lr: float = typer.Option(1e-3), out: str = typer.Option(..., "--out"), fast: bool = False): ...
def helper(not_a_flag: int): ...
app()
"""


def test_typer(tmp_path: Path) -> None:
    assert flags(tmp_path, TYPER) == {
        "data": Flag((), "data", required=True),
        "--batch-size": Flag(("--batch-size",), "batch_size", default=8),
        "--accumulate": Flag(("--accumulate", "-k"), "accum", default=4),
        "--lr": Flag(("--lr",), "lr", default=1e-3),
        "--out": Flag(("--out",), "out", required=True),
        "--fast": Flag(("--fast",), "fast", default=False, takes_value=False),
    }


@pytest.mark.parametrize("call", ["import fire\nfire.Fire(main)", "import tyro\ntyro.cli(main)"])
def test_functions_that_are_handed_over(tmp_path: Path, call: str) -> None:
    found = flags(tmp_path, f"def main(data, *, batch_size: int = 8): ...\ndef other(x): ...\n{call}\n")
    assert found == {
        "--data": Flag(("--data",), "data", required=True),
        "--batch_size": Flag(("--batch_size",), "batch_size", default=8),
    }


GLOBALS = """
batch_size = 12
grad_accum = 5 * 8
name = "x"
layers = [1, 2]
exec(open("settings.py").read())
later = model(batch_size)
"""


def test_variables_that_an_executed_file_sets_from_the_command_line(tmp_path: Path) -> None:
    settings = "import sys\nfor word in sys.argv[1:]:\n    key, val = word.split('=')\n    globals()[key] = val\n"
    assert flags(tmp_path, GLOBALS, settings=settings) == {
        "--batch_size": Flag(("--batch_size",), "batch_size", default=12, joined=True),
        "--grad_accum": Flag(("--grad_accum",), "grad_accum", default=40, joined=True),
        "--name": Flag(("--name",), "name", default="x", joined=True),
    }
    assert flags(tmp_path, GLOBALS, settings="batch_size = 3\n") == {}


def test_what_python_cannot_read_has_no_flags(tmp_path: Path) -> None:
    assert flags(tmp_path, "parser.add_argument('--batch'\n") == {}
