"""Marks of tests that start processes or are slow (tests/processes.py says which), and ``--no-processes``."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.drawn import try_every
from tests.processes import FIXTURES, PROCESS, SLOW, THOROUGH, Watch, is_named

TESTS = Path(__file__).parent
WATCH = pytest.StashKey[Watch]()
LONG = ("e2e", "process", "slow")
"""The marks of tests that `make quick` leaves out."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-processes", action="store_true", help="Run only tests that start no process and are not slow."
    )
    parser.addoption("--thorough", action="store_true", help="Also run the further cases that are left out otherwise.")


def pytest_configure(config: pytest.Config) -> None:
    try_every(config.getoption("--thorough"))
    if config.getoption("--no-processes"):
        config.stash[WATCH] = Watch()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # what is left out as a whole is not even imported
    if not config.getoption("--no-processes") or not collection_path.is_relative_to(TESTS):
        return None
    return True if collection_path.relative_to(TESTS).as_posix() in (*PROCESS, *SLOW, "e2e") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        test = f"{item.path.relative_to(TESTS).as_posix()}::{item.name}"
        if is_named(test, PROCESS) or not set(FIXTURES).isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.process)
        if is_named(test, SLOW):
            item.add_marker(pytest.mark.slow)
    if not config.getoption("--thorough"):
        further = [
            item
            for item in items
            if is_named(f"{item.path.relative_to(TESTS).as_posix()}::{item.name}", THOROUGH)
            and not _is_asked(config, item)
        ]
        config.hook.pytest_deselected(items=further)
        items[:] = [item for item in items if item not in set(further)]
    # several processes share the tests, in this order (Makefile): what takes longest begins first
    items.sort(key=lambda item: [item.get_closest_marker(mark) is None for mark in LONG])
    if config.getoption("--no-processes"):
        left_out = [item for item in items if any(map(item.get_closest_marker, LONG))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_asked(config: pytest.Config, item: pytest.Item) -> bool:
    """Whether the command line names the test's own file."""
    return any(item.path.name in argument for argument in config.invocation_params.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from watched(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from watched(item))


def watched(item: pytest.Item) -> Generator[None, object, object]:
    """Fails a test that starts a process although it is not marked so."""
    watch = item.config.stash.get(WATCH, None)
    if watch is None:
        return (yield)
    watch.take()
    result = yield
    if started := watch.take():
        pytest.fail(
            f"it started a process ({', '.join(started)}): mark it with process, or name it in tests/processes.py"
        )
    return result
