"""A program that a fork server's process runs finds what it would find in a process of its own."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import pytest

from accumcheck.capture.patches import Patches
from accumcheck.stacks.programs.main_process import become_main_process


def seen() -> tuple[object, ...]:
    """What a program can ask multiprocessing about its process."""
    process = multiprocessing.current_process()
    child = multiprocessing.get_context("fork").Process()
    return (
        process.name,
        multiprocessing.parent_process() is None,
        multiprocessing.get_start_method(allow_none=True),
        child.name,
    )


def look(answer: Connection) -> None:
    before = seen()
    with Patches(()) as patches:
        become_main_process(patches)
        inside = seen()
        multiprocessing.set_start_method("spawn")  # refused where another one is set
        chosen = multiprocessing.get_start_method()
    answer.send((before, inside, chosen, seen()[:3]))


@pytest.fixture(scope="module")
def found() -> tuple[tuple[object, ...], tuple[object, ...], str, tuple[object, ...]]:
    context = multiprocessing.get_context("forkserver")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=look, args=(there,), name="worker")
    process.start()
    there.close()
    answer: tuple[tuple[object, ...], tuple[object, ...], str, tuple[object, ...]] = here.recv()
    process.join()
    return answer


def test_without_it_the_process_is_a_child_of_the_fork_server(found: tuple[tuple[object, ...], ...]) -> None:
    name, is_main, method, child = found[0]
    assert (name, is_main, method) == ("worker", False, "forkserver")
    assert str(child).count(":") == 1  # numbered below its parent


def test_it_looks_like_a_main_process(found: tuple[tuple[object, ...], ...]) -> None:
    assert found[1] == ("MainProcess", True, None, "ForkProcess-1")


def test_the_program_may_choose_a_start_method(found: tuple[tuple[object, ...], ...]) -> None:
    assert found[2] == "spawn"


def test_at_the_end_it_is_as_before(found: tuple[tuple[object, ...], ...]) -> None:
    assert found[3] == found[0][:3]
