"""What a program of one process finds of torchrun's variables, and when it is given them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch.distributed as dist
import torch.distributed.distributed_c10d as c10d

from accumcheck.capture.patches import Patches, Seam
from accumcheck.stacks.programs.plain_python import PlainPython, is_torchruns

TORCHRUNS = {
    "RANK": "0",
    "WORLD_SIZE": "1",
    "LOCAL_RANK": "0",
    "LOCAL_WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29400",
    "TORCHELASTIC_RUN_ID": "run",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
    "ROLE_RANK": "0",
}


@pytest.fixture
def patches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Patches]:
    for name in [name for name in os.environ if is_torchruns(name)]:
        monkeypatch.delenv(name)
    for name, value in TORCHRUNS.items():
        monkeypatch.setenv(name, value)
    with Patches({Seam.RENDEZVOUS}) as patches:
        yield patches


@pytest.fixture
def plain(patches: Patches) -> PlainPython:
    plain = PlainPython()
    plain.begin(patches)
    return plain


def test_who_looks_for_torchrun_finds_none(plain: PlainPython) -> None:
    assert int(os.environ.get("RANK", -1)) == -1
    assert os.getenv("LOCAL_RANK") is None
    assert "WORLD_SIZE" not in os.environ
    assert os.environ.pop("MASTER_ADDR", "none") == "none"
    assert not any(is_torchruns(name) for name in [*os.environ, *os.environ.copy()])
    assert not dist.is_torchelastic_launched()
    assert (plain.probed, plain.is_plain) == (True, True)


def test_other_variables_are_as_they_were(plain: PlainPython) -> None:
    os.environ["ACCUMCHECK_TEST"] = "1"
    assert (os.environ["ACCUMCHECK_TEST"], os.environ.get("ACCUMCHECK_TEST", "2")) == ("1", "1")
    assert os.environ.pop("ACCUMCHECK_TEST") == "1"
    with pytest.raises(KeyError, match="ACCUMCHECK_TEST"):
        os.environ["ACCUMCHECK_TEST"]
    assert (plain.probed, plain.is_plain) == (False, True)


def look_as(module: str) -> bool:
    """Test for a variable in code of this module."""
    found: dict[str, bool] = {}
    exec("found['RANK'] = 'RANK' in os.environ", {"__name__": module, "os": os, "found": found})
    return found["RANK"]


def test_the_variables_are_set_when_deepspeed_makes_a_process_group(plain: PlainPython) -> None:
    assert not look_as("deepspeed.utils.logging")
    assert plain.is_plain
    assert look_as("deepspeed.comm.comm")
    assert not plain.is_plain


@pytest.mark.parametrize(
    "ask",
    [
        lambda: os.environ["LOCAL_RANK"],
        lambda: os.environ.setdefault("MASTER_PORT", "29500"),
        lambda: os.environ.update(ACCELERATE_USE_FSDP="true"),
    ],
    ids=["by name", "with a default of its own", "by asking accelerate for shards"],
)
def test_who_cannot_do_without_has_them_all(
    plain: PlainPython, ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "false")
    ask()
    assert {name: os.environ.get(name) for name in TORCHRUNS} == TORCHRUNS
    assert not plain.is_plain


def test_training_arguments_that_shard_need_them_and_others_do_not(plain: PlainPython) -> None:
    plain.made(SimpleNamespace(fsdp="", deepspeed=None))
    assert "RANK" not in os.environ
    plain.made(SimpleNamespace(fsdp="full_shard", deepspeed=None))
    assert os.environ["RANK"] == "0"


def rendezvous_with(patches: Patches, plain: PlainPython, url: str) -> dict[str, str]:
    """The variables that torch finds when the program makes a process group."""
    found: dict[str, str] = {}
    patches.assign(c10d, "rendezvous", lambda *_, **__: found.update(os.environ.copy()))
    plain.begin(patches)
    c10d.rendezvous(url, -1, -1, timeout=timedelta(seconds=1))  # type: ignore[attr-defined]
    return {name: value for name, value in found.items() if is_torchruns(name)}


def test_a_process_group_by_the_environment_finds_the_agents_store(patches: Patches) -> None:
    assert rendezvous_with(patches, PlainPython(), "env://") == TORCHRUNS


def test_a_process_group_by_a_file_needs_none_of_them(patches: Patches) -> None:
    assert rendezvous_with(patches, PlainPython(), "file:///tmp/store") == {}


def test_what_the_program_has_set_itself_stands_and_leaves_the_agents_store(
    patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = PlainPython()
    plain.begin(patches)
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "localhost", "12355"
    plain.give()
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"], os.environ["RANK"]) == ("localhost", "12355", "0")
    assert "TORCHELASTIC_USE_AGENT_STORE" not in os.environ


def test_a_launcher_that_is_told_to_shard_is_given_them_at_once(
    patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    plain = PlainPython()
    plain.begin(patches)
    assert os.environ.get("RANK") == "0"


def test_everything_is_put_back(patches: Patches) -> None:
    before = type(os.environ)
    with Patches({Seam.RENDEZVOUS}) as inner:
        PlainPython().begin(inner)
        assert type(os.environ) is not before
    assert type(os.environ) is before
    assert {name: os.environ.get(name) for name in TORCHRUNS} == TORCHRUNS
