"""The gate and the search for a package that is no stack of accumcheck's: a tiny loop, in a repository of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.e2e.program import accumcheck
from tests.environments.repository import TinyRepository

pytestmark = pytest.mark.e2e

TRAIN = """\
import argparse, torch, transformers, tiny_loop
from accumcheck import report_loss

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int)
parser.add_argument("--accumulate", type=int)
options = parser.parse_args()
torch.manual_seed(0)
sizes = dict(vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, num_key_value_heads=2))
rows = torch.randint(1, 32, (4, 8))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
shown = 0.0
for at in range(options.accumulate):
    ids = rows[at * options.batch : (at + 1) * options.batch]
    loss = model(input_ids=ids, labels=ids).loss
    tiny_loop.scaled(loss, options.accumulate).backward()
    shown += loss.detach() / options.accumulate
optimizer.step()
report_loss(shown)
"""
RIGHT = "def scaled(loss, k):\n    return loss / k  # {}\n"
WRONG = "def scaled(loss, k):\n    return loss  # {}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    plain = {
        "stack": "script",
        "script": {"path": "train.py", "arguments": ["--batch", "{b}", "--accumulate", "{k}"]},
        "global_batch_size": 4,
        "steps": 1,
        "splits": ["1x4x1", "1x1x4"],
        "launcher": {"device": "cpu"},
    }
    (tmp_path / "check.yaml").write_text(yaml.safe_dump(plain))
    return tmp_path / "check.yaml"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyRepository:
    """Four commits, of which the third forgets the division."""
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "cache"))
    made = TinyRepository(tmp_path / "repo")
    for number, module in enumerate((RIGHT, RIGHT, WRONG, WRONG), start=1):
        made.commit(module.format(number), f"Change {number}")
    return made


def test_the_gate_fails_for_what_gets_worse_and_the_search_finds_the_commit(
    config: Path, repository: TinyRepository
) -> None:
    os.environ.setdefault("UV_OFFLINE", "1")  # nothing of this needs an index
    at = f"tiny-loop @ git+file://{repository.path}@{{}}"
    first, _, third, _ = repository.commits
    gate = ["upgrade", str(config), "--from", at.format(first), "--format", "json"]
    ended = accumcheck(*gate, "--to", at.format("main"))
    assert ended.code == 1, ended.out + ended.err
    (result,) = json.loads(ended.out)["results"]
    assert result["changes"]["worse"] == {"1x1x4": "fails"}
    assert result["to"]["gradient_rule"] == "token-mean*k"
    packages = [result[side]["environment"]["packages"] for side in ("from", "to")]
    assert {name for name in packages[0] if packages[0][name] != packages[1].get(name)} == {"tiny-loop"}

    search = ["bisect", str(config), "--repo", str(repository.path), "--good", first, "--bad", "main"]
    ended = accumcheck(*search)
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.splitlines()[-1] == f"first bad release: {third}"
