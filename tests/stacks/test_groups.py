"""The process group of a program whose processes share a GPU."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist

from accumcheck.capture.patches import Patches, Seam
from accumcheck.stacks.programs.groups import use_gloo


@pytest.mark.parametrize("backend", ["nccl", "cpu:gloo,cuda:nccl", None])
def test_a_group_is_made_over_gloo_whatever_is_asked(backend: str | None) -> None:
    init = dist.init_process_group
    with Patches({Seam.INIT_GROUP}) as patches:
        use_gloo(patches)
        store = dist.HashStore()  # type: ignore[attr-defined]
        # accelerate and others name the GPU as well, which only NCCL can use
        dist.init_process_group(backend, store=store, rank=0, world_size=1, device_id=torch.device("cuda:0"))
        try:
            assert dist.get_backend() == "gloo"
            summed = torch.ones(2)
            dist.all_reduce(summed)
            assert summed.tolist() == [1.0, 1.0]
        finally:
            dist.destroy_process_group()
    assert dist.init_process_group is init
