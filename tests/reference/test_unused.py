"""Parameters that no loss depends on are told from those whose gradient is zero."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from accumcheck.config.model import CheckConfig, DataConfig, ModelConfig, SyntheticData
from accumcheck.record import Split
from accumcheck.reference.run import run_reference
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import REFERENCE
from accumcheck.runfolder.of_reference import read_reference
from accumcheck.workload.assemble import build_workload

TINY = {
    "model_type": "llama",
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32,
}


class Gated(torch.nn.Module):
    """A module times a gate that is zero: the module's gradient is zero, the gate's is not. One weight has no use."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.gate = torch.nn.Parameter(torch.zeros(()))
        self.spare = torch.nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.gate * self.inner(x)


def test_a_weight_without_use_and_one_behind_a_closed_gate_are_two_things(tmp_path: Path) -> None:
    check = CheckConfig(
        model=ModelConfig(config=TINY, dtype="float32"),
        data=DataConfig(synthetic=SyntheticData(min_length=4, max_length=8)),
        global_batch_size=2,
        steps=1,
        splits=(Split(1, 2, 1),),
    )
    workload = build_workload(check, "cpu")
    assert isinstance(workload.model, LlamaForCausalLM)
    assert isinstance(workload.model.config, LlamaConfig)
    workload.model.model.layers[0].mlp = Gated(torch.nn.Linear(16, 16, bias=False))
    folder = tmp_path / REFERENCE
    folder.mkdir()
    run_reference(Job(REFERENCE, 1, folder, check, "cpu", "gloo", membership=((0, 1),)), check, workload)
    found = read_reference(tmp_path)
    assert found is not None
    assert found.unused == ("model.layers.0.mlp.spare",)
    zero = {
        name
        for name, start, size in zip(
            found.coordinates.names, found.coordinates.starts, found.coordinates.sizes, strict=True
        )
        if not found.gradients[:, start : start + size].any()
    }
    assert zero == {"model.layers.0.mlp.spare", "model.layers.0.mlp.inner.weight"}
