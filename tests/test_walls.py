"""The walls between the rooms of docs/architecture.md, held by reading what each module imports."""

from __future__ import annotations

import itertools
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.imports import Import, all_imports, imports_of, is_in, room_of

SOURCE = Path(__file__).parents[1] / "src"
MODULES = all_imports(SOURCE)
HEAVY = ("torch", "transformers", "accelerate")

FORBIDDEN = {
    "record": (*HEAVY, "accumcheck.launch", "accumcheck.stacks"),
    "judge": (*HEAVY, "accumcheck.launch", "accumcheck.stacks", "accumcheck.work", "accumcheck.workload"),
    "report": (*HEAVY, "accumcheck.launch", "accumcheck.stacks", "accumcheck.work", "accumcheck.workload"),
    "saved": (*HEAVY, "accumcheck.launch", "accumcheck.stacks"),
    "reference": ("accumcheck.stacks", "accumcheck.launch", "accumcheck.judge"),
    "capture": ("accumcheck.stacks", "accumcheck.launch", "accumcheck.judge", "accumcheck.reference"),
    "stacks": ("accumcheck.judge", "accumcheck.launch", "accumcheck.reference", "accumcheck.work"),
    "workload": ("accumcheck.stacks", "accumcheck.judge", "accumcheck.launch"),
    "config": HEAVY,
}
"""What no module of a room may import, not inside a function either."""

CONFIG_KNOWS = (
    "accumcheck.config",
    "accumcheck.record",
    "accumcheck.errors",
    "accumcheck.declare",
    "accumcheck.stacks.protocol",  # the light half of the stacks: names, packages and the keys that they add
    "accumcheck.stacks.registry",
    "accumcheck.hotfixes.NAMES",  # the allowed values of `hotfix:`
)
"""All that the configuration may import of ours. A stack's keys stand in the stack's file, so it reads the registry."""

LIGHT = ("record", "judge", "report", "saved", "config", "declare", "known", "redaction", "errors")
"""Rooms whose modules can be imported, with all that they import at once, without `HEAVY`."""

CIRCLES: dict[str, str] = {}
"""Rooms that are left out of the test for circles, and why. None is; do not add one, move the import."""


def page_rows() -> dict[str, str]:
    """By room, the last cell of its row in docs/architecture.md: what it does not import."""
    lines = (SOURCE.parent / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if re.match(r"\| `\w+/` ", line)]
    return {cells[0].strip("`/"): cells[-1] for cells in rows}


PAGE = page_rows()


def of_room(room: str) -> list[Import]:
    found = [one for module, imports in MODULES.items() if room_of(module) == room for one in imports]
    assert found, f"there is no room {room} any more: name the one that took its place"
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_does_not_import_what_it_must_not_know(room: str) -> None:
    assert [str(one) for one in of_room(room) if is_in(one.module, *FORBIDDEN[room])] == []


def test_the_configuration_knows_records_and_the_light_registry_of_stacks_only() -> None:
    ours = [one for one in of_room("config") if is_in(one.module, "accumcheck")]
    assert [str(one) for one in ours if not is_in(one.module, *CONFIG_KNOWS)] == []


@pytest.mark.parametrize("room", LIGHT)
def test_a_light_room_is_imported_without_torch(room: str) -> None:
    found = [chain for module in MODULES if room_of(module) == room for chain in chains_to_heavy(module)]
    assert found == []


def test_rooms_form_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module, imports in MODULES.items():
        room = room_of(module)
        if room and room not in CIRCLES:
            graph.setdefault(room, set()).update(
                other for one in imports if (other := room_of(one.module)) and other not in {room, *CIRCLES}
            )
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
        between = set(itertools.pairwise(circle))
        lines = [
            str(one)
            for module, imports in MODULES.items()
            for one in imports
            if (room_of(module), room_of(one.module)) in between
        ]
        pytest.fail("\n".join([f"rooms import each other: {' -> '.join(circle)}", *lines]))


def test_the_architecture_page_has_a_row_for_every_room() -> None:
    rooms = {path.name for path in (SOURCE / "accumcheck").iterdir() if (path / "__init__.py").is_file()}
    assert sorted(PAGE) == sorted(rooms)


@pytest.mark.parametrize("room", PAGE)
def test_a_room_does_not_import_what_the_architecture_page_says_it_does_not(room: str) -> None:
    if PAGE[room] == "any other room":
        assert [str(one) for one in of_room(room) if room_of(one.module) not in (None, room)] == []
        return
    denied = re.findall(r"`(\w+)`", PAGE[room])
    assert denied
    packages = [name if name in HEAVY else f"accumcheck.{name}" for name in denied]
    assert [str(one) for one in of_room(room) if is_in(one.module, *packages)] == []


TEXT = """
from typing import TYPE_CHECKING
import torch.nn
if TYPE_CHECKING:
    from accumcheck.launch.agent import run
else:
    import numpy
class A:
    def f(self):
        from accumcheck.stacks import registry
"""


def test_imports_are_read_as_they_would_run() -> None:
    read = [(one.module, one.at_once) for one in imports_of(TEXT)]
    assert read == [
        ("typing.TYPE_CHECKING", True),
        ("torch.nn", True),
        ("numpy", True),
        ("accumcheck.stacks.registry", False),
    ]


def test_a_chain_to_torch_is_found_where_there_is_one() -> None:
    assert chains_to_heavy("accumcheck.guard")[0].endswith("torch")
    assert is_in("torch.nn", "torch")
    assert not is_in("torchvision", "torch")


def chains_to_heavy(start: str) -> list[str]:
    """How a module comes to import one of `HEAVY` when it is imported, one chain for each."""
    found, seen, waiting = [], {start}, [(start, start)]
    while waiting:
        module, chain = waiting.pop()
        for one in (one for one in MODULES[module] if one.at_once):
            if is_in(one.module, *HEAVY):
                found.append(f"{chain} -> {one.module.split('.')[0]}")
            for loaded in loaded_by(one.module):
                if loaded not in seen:
                    seen.add(loaded)
                    waiting.append((loaded, f"{chain} -> {loaded}"))
    return found


def loaded_by(module: str) -> list[str]:
    """The modules of ours that Python runs to import one: it, and the packages that it is in."""
    parts = module.split(".")
    names = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return [name for name in names if name in MODULES]
