"""``accumcheck upgrade`` with two real releases: one check that the newer one breaks, one whose reference drifts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from accumcheck.saved.comparisons import comparison_schema as schema
from tests.e2e.program import TINY_LLAMA, accumcheck

pytestmark = pytest.mark.e2e

BERT = Path(__file__).parents[2] / "configs" / "bert-classification.yaml"
OLD, NEW = "4.57.6", "5.23.0"
DRIFTING = '''
"""A Llama whose loss is a hundredth larger from transformers 5 on."""

import transformers
from transformers import LlamaForCausalLM


class DriftingForCausalLM(LlamaForCausalLM):
    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        out = super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs)
        if out.loss is not None and int(transformers.__version__.split(".")[0]) >= 5:
            out.loss = out.loss * 1.01
        return out
'''


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A folder with the two configurations."""
    model, folder = tmp_path / "drifting", tmp_path / "configs"
    model.mkdir()
    folder.mkdir()
    (model / "modeling_drifting.py").write_text(DRIFTING, encoding="utf-8")
    auto = {"AutoModelForCausalLM": "modeling_drifting.DriftingForCausalLM"}
    config = {**TINY_LLAMA, "architectures": ["DriftingForCausalLM"], "auto_map": auto}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    check = {
        "model": {"name_or_path": str(model), "weights": "random", "trust_remote_code": True},
        "global_batch_size": 8,
        "steps": 1,
        "splits": ["1x8x1", "1x2x4"],
        "launcher": {"device": "cpu"},
    }
    (folder / "drifting.yaml").write_text(yaml.safe_dump(check), encoding="utf-8")
    shutil.copy(BERT, folder)
    return folder


def test_what_breaks_and_what_drifts_is_named(configs: Path, tmp_path: Path) -> None:
    saved = tmp_path / "upgrade.json"
    ended = accumcheck("upgrade", configs, "--from", OLD, "--to", NEW, "--set", "launcher.device=cpu", "-o", saved)
    assert ended.code == 1, ended.err
    whole: dict[str, Any] = json.loads(saved.read_text(encoding="utf-8"))
    jsonschema.validate(whole, schema())
    bert, drifting = whole["results"]
    for side, release in (("from", OLD), ("to", NEW)):
        assert whole[side] == bert[side]["environment"]["transformers"] == release

    # the head ignores the token count: its gradient is n times k times too large in the newer release alone
    assert bert["exit_code"] == 1
    assert bert["changes"]["verdict"] == {"from": "pass", "to": "fail"}
    assert bert["changes"]["gradient_rule"] == {"from": "token-mean", "to": "token-mean*k*n"}
    scales = [split["sample_weights"]["scale"] for split in bert["to"]["splits"]]
    assert scales == pytest.approx([1, 4, 8], rel=1e-4)  # 1x16x1, 1x4x4, 2x2x4
    # the weights and the data are the same: so is what they are worth
    assert bert["changes"]["reference"]["drifts"] is False
    for old, new in zip(bert["from"]["reference"], bert["to"]["reference"], strict=True):
        assert old == pytest.approx(new)

    # every split agrees under either release; a hundredth is what the model's own code adds
    assert drifting["exit_code"] == 1
    assert "fail" not in (drifting["from"]["verdict"], drifting["to"]["verdict"])
    assert drifting["changes"]["reference"]["drifts"] is True
    assert drifting["changes"]["reference"]["loss"] == pytest.approx(0.01, rel=1e-3)
    assert drifting["changes"]["reference"]["grad_norm"] == pytest.approx(0.01, rel=1e-3)

    lines = [line.split() for line in ended.out.splitlines()]
    assert [str(configs / "bert-classification.yaml"), "pass", "FAIL"] in [line[:3] for line in lines]
    assert "token-mean -> token-mean*k*n" in ended.out
    assert ended.out.splitlines()[-1] == "fail: 2 configurations: 1 worse, 1 drifts (exit code 1)"
    assert "\x1b" not in ended.out + ended.err
