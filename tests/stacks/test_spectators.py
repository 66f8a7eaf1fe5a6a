"""What is done in a program's process around its training, for a split and for the reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from accumcheck.capture.observer import Observer
from accumcheck.capture.patches import Patches
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.errors import RefusedError
from accumcheck.record import Split
from accumcheck.rows.fed import Rows
from accumcheck.runfolder.job import Job
from accumcheck.stacks.programs.groups import KEPT
from accumcheck.stacks.programs.spectators import OfSplit, OfWitness, check_reported_once
from accumcheck.stacks.programs.watch import FinishedError, Watch
from accumcheck.stacks.protocol import OF_PROGRAMS

CHECK = CheckConfig(ModelConfig(), 2, (Split(1, 2, 1),), stack="script")


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)  # type: ignore[attr-defined]
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def begin(folder: Path, patches: Patches, *, witness: bool) -> None:
    """The training of a small model begins."""
    folder.mkdir()
    rows = Rows(1)
    observer = Observer(folder, 0, rows, lambda _: None, accumulation_steps=1)
    spectator = (
        OfWitness(CHECK, observer, rows, Job("reference", 1, folder, CHECK, "cpu", "gloo"), patches)
        if witness
        else OfSplit(CHECK, observer, rows, folder, 0, patches)
    )
    spectator.watch = Watch(spectator, patches)
    spectator.begin(torch.nn.Linear(2, 1), None)
    observer.stop()


def test_the_reference_keeps_the_process_group_that_the_program_leaves(group: None, tmp_path: Path) -> None:
    with Patches(OF_PROGRAMS) as patches:
        begin(tmp_path / "reference", patches, witness=True)
        dist.destroy_process_group()
        assert dist.is_initialized()
    dist.destroy_process_group()
    assert not dist.is_initialized()


def test_a_group_that_the_program_leaves_is_not_freed_while_a_thread_of_its_own_may_need_pythons_lock(
    group: None, tmp_path: Path
) -> None:
    made = dist.group.WORLD
    with Patches(OF_PROGRAMS) as patches:
        begin(tmp_path / "1x2x1", patches, witness=False)
        dist.destroy_process_group()
    assert any(kept is made for kept in KEPT)


def test_a_split_leaves_it_as_the_program_says(group: None, tmp_path: Path) -> None:
    with Patches(OF_PROGRAMS) as patches:
        begin(tmp_path / "1x2x1", patches, witness=False)
        dist.destroy_process_group()
        assert not dist.is_initialized()


def loop(folder: Path, patches: Patches, *, steps: int) -> list[str]:
    """A loop that trains so many steps of one micro-batch, then evaluates; what it came to do."""
    folder.mkdir()
    rows = Rows(2)
    observer = Observer(folder, 0, rows, lambda _: None, accumulation_steps=1)
    spectator = OfSplit(CHECK, observer, rows, folder, 0, patches)
    spectator.watch = Watch(spectator, patches)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    done = []
    try:
        for _ in range(steps):
            model(torch.ones(2, 2)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            done.append("evaluates")
            model(torch.ones(2, 2))
        done.append("has evaluated")
    except FinishedError:
        pass
    observer.stop()
    return done


def test_a_loop_that_changes_its_weights_itself_starts_each_step_from_the_same_ones(tmp_path: Path) -> None:
    folder = tmp_path / "1x2x1"
    folder.mkdir()
    model = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(model.weight, 2.0)
    begun = []
    with Patches(OF_PROGRAMS) as patches:
        rows = Rows(2)
        observer = Observer(folder, 0, rows, lambda _: None, accumulation_steps=1)
        spectator = OfSplit(CHECK, observer, rows, folder, 0, patches)
        spectator.watch = Watch(spectator, patches)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
        for _ in range(2):
            model(torch.ones(2, 2)).sum().backward()
            begun.append(model.weight.tolist())
            optimizer.step()
            optimizer.zero_grad()
            with torch.no_grad():
                model.weight.mul_(0.5)
        spectator.end()
        observer.stop()
        observer.write()
    assert begun == [[[2.0, 2.0]]] * 2
    # a step by 0.25 * 2, and 1 less by the decay of the weights that were put back
    assert [step.change_norm for step in observer.steps] == [pytest.approx(1.5 * 2**0.5)] * 2


def test_a_loop_is_not_asked_to_evaluate_after_the_last_step(tmp_path: Path) -> None:
    with Patches(OF_PROGRAMS) as patches:  # the check is of three steps
        assert loop(tmp_path / "1x2x1", patches, steps=3) == ["evaluates"]


def test_it_evaluates_before_that(tmp_path: Path) -> None:
    with Patches(OF_PROGRAMS) as patches:
        assert loop(tmp_path / "1x2x1", patches, steps=2) == ["evaluates", "has evaluated"]


def test_a_loss_is_reported_once_a_step() -> None:
    check_reported_once(0, 2)
    check_reported_once(2, 2)
    with pytest.raises(RefusedError, match="report_loss was called 8 times in 2 optimizer steps; call it once"):
        check_reported_once(8, 2)
