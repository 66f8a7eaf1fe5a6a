"""How many machines the splits need."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.cluster.machines import Machines, machines_for
from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.errors import ConfigError
from tests.cluster.checks import check_of


@pytest.mark.parametrize(
    ("splits", "gpus", "nodes", "per_node"),
    [
        (["8x6x1", "1x6x8"], 8, 1, 8),
        (["16x3x1", "8x3x2", "1x6x8"], 8, 2, 8),  # 8x3x2: 4 on each; 1x6x8: on the first alone
        (["12x4x1"], 8, 2, 6),
        (["12x4x1", "8x6x1"], 5, 4, 3),  # on three machines 8x6x1 would not be even, and is too large for one
        (["7x1x1"], 4, 7, 1),
    ],
)
def test_the_fewest_machines_on_which_every_split_runs(splits: list[str], gpus: int, nodes: int, per_node: int) -> None:
    assert machines_for(check_of(splits), gpus) == Machines(nodes, per_node, "cuda")


def test_a_number_of_machines_in_the_configuration_is_that_number() -> None:
    launcher = "{nnodes: 4, rdzv_endpoint: 'a:1', device: cpu}"
    assert machines_for(check_of(["8x1x1", "4x2x1"], launcher), 8) == Machines(4, 2, "cpu")


def test_splits_that_no_such_number_fits_are_named() -> None:
    launcher = "{nnodes: 3, rdzv_endpoint: 'a:1'}"
    with pytest.raises(ConfigError) as raised:
        machines_for(check_of(["16x3x1", "48x1x1", "3x1x16"], launcher), 8)
    assert str(raised.value) == (
        "splits: 16x3x1 on 3 machines of 8: 16 processes cannot be distributed evenly; "
        "splits: 48x1x1 on 3 machines of 8: each would have 16 processes; "
        "take out the split, or give another --gpus-per-node or launcher.nnodes"
    )


def test_automatic_splits_depend_on_the_machines() -> None:
    text = "model: {config: {model_type: llama}}\nglobal_batch_size: 8\nsplits: auto\n"
    check = read_config(text, Place("check.yaml"), Path.cwd())
    with pytest.raises(ConfigError, match="found auto, which depends on the machines; name the splits"):
        machines_for(check, 8)
