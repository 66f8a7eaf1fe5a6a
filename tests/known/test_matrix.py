"""Every fault that is run under its release (``make faults``) is one that the catalogue knows, by the same address."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from accumcheck.known.catalogue import known_faults

MATRIX = Path(__file__).parents[2] / "scripts" / "faults.yaml"
HEADS = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
"""The head that a config without ``architecture`` gets."""

ROWS = [
    row
    for row in yaml.safe_load(MATRIX.read_text(encoding="utf-8"))["faults"]
    if {row["loss"], row["gradient"]} != {"token-mean"}
]


def number(url: str) -> str:
    """``hiyouga/llamafactory#7443``: the repository has changed its name since."""
    owner, repository, _, issue = url.split("#")[0].lower().replace("llama-factory", "llamafactory").split("/")[3:]
    return f"{owner}/{repository}#{issue}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_what_the_matrix_runs_is_in_the_catalogue(row: dict[str, Any]) -> None:
    model = row["check"].get("model")
    architecture = row.get("architecture") or model.get("architecture") or HEADS[model["config"]["model_type"]]
    releases = {"transformers": row["release"], **dict(pin.split("==") for pin in row.get("beside", ()))}
    fitting = [
        fault
        for fault in known_faults()
        if fault.affected.keys() <= releases.keys()
        and all(fault.affected[package].contains(releases[package]) for package in fault.affected)
        and row["loss"] in fault.loss_rules
        and row["gradient"] in fault.gradient_rules
        and any(fnmatchcase(architecture, pattern) for pattern in fault.architectures)
    ]
    assert fitting
    if "url" in row:
        assert number(row["url"]) in {number(fault.url) for fault in fitting}
