"""How a function is named for another process, and how that one finds it."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from accumcheck.errors import ConfigError, WorkloadError
from accumcheck.stacks.programs.functions import NamedFunction, find_function, name_function

MODULE = """
def build_trainer(size=1, *, dtype="float32", **more):
    return size, dtype, more

def needs(size, rate=0.1):
    return size

def starred(*sizes):
    return sizes

def outer():
    def inner():
        return 1
    return inner

no_name = lambda: 1

class Suite:
    @staticmethod
    def build():
        return 2

    def bound(self):
        return 3

build = build_trainer
replaced = needs

def needs_no_more():
    return 4

replaced = needs_no_more

def needs_no_more():
    return 5
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Writes files and imports one of them; the search path and the modules are put back."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def write(module: str = "training_of_mine", **files: str) -> ModuleType:
        for name, text in {f"{module.replace('.', '/')}": MODULE, **files}.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(module)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_function_goes_by_its_module_where_that_can_be_imported(written: Callable[..., ModuleType]) -> None:
    module = written("of_mine.deep.training", **{"of_mine/__init__": ""})  # deep is a namespace package
    assert name_function(module.build_trainer) == NamedFunction("of_mine.deep.training:build_trainer")
    assert name_function(module.Suite.build) == NamedFunction("of_mine.deep.training:Suite.build")
    assert find_function("of_mine.deep.training:build_trainer") is module.build_trainer
    assert find_function("of_mine.deep.training:Suite.build") is module.Suite.build


def test_a_function_goes_by_its_file_where_no_module_of_that_name_is_found(
    written: Callable[..., ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = written()
    monkeypatch.setattr(sys, "path", sys.path[1:])  # as pytest's importlib mode leaves it
    assert name_function(module.build_trainer).name == f"{tmp_path}/training_of_mine.py:build_trainer"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "training_of_mine.py").write_text("")
    sys.path.insert(0, str(tmp_path / "elsewhere"))  # another module of that name is not it
    assert name_function(module.build_trainer).name == f"{tmp_path}/training_of_mine.py:build_trainer"


def test_what_a_partial_gives_goes_with_it_by_name(written: Callable[..., ModuleType]) -> None:
    build = written().build_trainer
    given = functools.partial(functools.partial(build, 2, rate=[1e-5, None]), dtype="float64")
    assert name_function(given) == NamedFunction(
        "training_of_mine:build_trainer", {"size": 2, "dtype": "float64", "rate": [1e-5, None]}
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            lambda module: module.no_name,
            "found <lambda> (training_of_mine.py:16); expected a function at the top level",
        ),
        (lambda module: module.outer(), "found outer.<locals>.inner (training_of_mine.py:12), defined inside another"),
        (lambda module: module.Suite, "found the class Suite; expected"),
        (
            lambda module: module.Suite().bound,
            "found Suite.bound (training_of_mine.py:23), a method bound to an object; expected",
        ),
        (lambda module: module.replaced, "but needs_no_more in training_of_mine is another object; expected"),
        (
            lambda _: SimpleNamespace(train=print),
            "found a SimpleNamespace object; expected a function at the top",
        ),
        (lambda _: None, "found NoneType None; expected a function at the top level of a file"),
        (lambda _: len, "found len, not written in Python; expected"),
        (lambda module: module.needs, "needs(size, rate=0.1) needs size, but is called without arguments; give"),
        (
            lambda module: functools.partial(module.needs, 1, sizes=2),
            "needs(size, rate=0.1) cannot be called with the partial's arguments: got an unexpected keyword argument",
        ),
        (
            lambda module: functools.partial(module.build_trainer, Path("a")),
            "build_trainer: size is PosixPath PosixPath('a'); other processes can only receive text, finite numbers, "
            "True, False, None, and lists and mappings of these; give str(size)",
        ),
        (lambda module: functools.partial(module.build_trainer, (1, 2)), "build_trainer: size is tuple (1, 2); other"),
        (
            lambda module: functools.partial(module.build_trainer, float("nan")),
            "build_trainer: size is float nan; other",
        ),
        (lambda module: functools.partial(module.starred, 1), "starred(*sizes): sizes cannot be passed by name"),
    ],
)
def test_what_another_process_cannot_import_or_call_is_said(
    written: Callable[..., ModuleType], found: Callable[[ModuleType], Any], said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        name_function(found(written()))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_function_is_found_in_a_file_with_what_stands_beside_it(tmp_path: Path, written: Callable[..., Any]) -> None:
    files = {
        "alone/of_mine_alone": "from of_mine_beside import SIZE\ndef build(): return SIZE",
        "alone/of_mine_beside": "SIZE = 7",
        "below/of_mine_tests/__init__": "def build(): return 9",
        "below/of_mine_tests/training": "from .beside import SIZE\ndef build(): return SIZE",
        "below/of_mine_tests/beside": "SIZE = 8",
    }
    written(**files)
    assert find_function(f"{tmp_path}/alone/of_mine_alone.py:build")() == 7
    assert find_function(f"{tmp_path}/below/of_mine_tests/training.py:build")() == 8
    assert find_function(f"{tmp_path}/below/of_mine_tests/__init__.py:build")() == 9
    assert "of_mine_tests.training" in sys.modules


def test_what_cannot_be_found_is_said(tmp_path: Path, written: Callable[..., Any]) -> None:
    written(json="def build(): return 1", broken_of_mine="import no_such_package")
    with pytest.raises(WorkloadError, match=r"training_of_mine has no function biuld; expected one that returns a Tr"):
        find_function("training_of_mine:biuld")
    with pytest.raises(WorkloadError, match=r"there is no module trianing; expected .* or give its file: path/to/"):
        find_function("trianing:build")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        find_function("broken_of_mine:build")
    with pytest.raises(
        WorkloadError,
        match=rf"{tmp_path}/json\.py cannot be imported: its module name json already belongs to .*; rename the file",
    ):
        find_function(f"{tmp_path}/json.py:build")
