"""Runs the program as a user does, on configurations that tests write."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from accumcheck.check import run_checks
from accumcheck.config.load import load_config
from accumcheck.saved.consistent import check_consistent
from accumcheck.saved.reports import report_from_json, report_schema, report_to_json

EXAMPLES = Path(__file__).parents[2] / "configs" / "examples"

TINY_LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
}

FAULTY_MODEL = '''
"""A Llama whose forward pass misbehaves as PLANTED says: FAULT:RANK:PASS, and :ROWS for batches of so many alone.

Several are separated by semicolons. Without PLANTED the configuration says it.
"""

import os, signal, time
import torch
from transformers import LlamaForCausalLM


class FaultyForCausalLM(LlamaForCausalLM):
    passes = 0

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        planted = [one.split(":") for one in os.environ.get("PLANTED", self.config.planted).split(";")]
        if planted[0][0] == "uncounted":
            kwargs.pop("num_items_in_batch", None)
        out = super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs)
        # the reference runs in a job of its own with one process, and must stay healthy
        if self.training and os.environ.get("WORLD_SIZE") == "2":
            FaultyForCausalLM.passes += 1
            here = [os.environ.get("RANK"), str(FaultyForCausalLM.passes)]
            for fault, *place in planted:
                if place[:2] != here or place[2:] not in ([], [str(len(input_ids))]):
                    continue
                if fault == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                elif fault == "hang":
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    time.sleep(10_000)
                elif fault == "raise":
                    raise RuntimeError("planted: the model broke")
                elif fault == "memory":
                    raise torch.OutOfMemoryError("planted: tried to allocate 99 GiB")
                elif fault == "nan":
                    out.loss = out.loss * float("nan")
        return out
'''


@dataclass(frozen=True)
class Ended:
    """How the program ended."""

    code: int
    out: str
    err: str

    @cached_property
    def report(self) -> dict[str, Any]:
        """The JSON on standard output, which satisfies the schema, agrees with itself, and has reasons."""
        report: dict[str, Any] = json.loads(self.out)
        jsonschema.validate(report, report_schema())
        check_consistent(report_from_json(self.out))
        for split in report["splits"]:
            assert split["verdict"] in ("pass", "warn") or split["reason"].strip(), split["split"]
        return report

    def split(self, label: str) -> dict[str, Any]:
        found: dict[str, Any] = next(split for split in self.report["splits"] if split["split"] == label)
        return found


def write_config(folder: Path, **keys: Any) -> Path:
    """A configuration of a tiny Llama on the CPU with these top-level keys."""
    config = {
        "model": {"config": TINY_LLAMA},
        "global_batch_size": 8,
        "steps": 2,
        "splits": ["1x8x1", "1x2x4"],
        "launcher": {"device": "cpu"},
        **keys,
    }
    path = folder / "check.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def write_faulty_model(folder: Path, planted: str = "none:-1:0") -> dict[str, Any]:
    """A local model folder with code of its own; returns the configuration's ``model`` section."""
    place = folder / "faulty"
    place.mkdir()
    (place / "modeling_faulty.py").write_text(FAULTY_MODEL, encoding="utf-8")
    config = {
        **TINY_LLAMA,
        "architectures": ["FaultyForCausalLM"],
        "planted": planted,
        "auto_map": {"AutoModelForCausalLM": "modeling_faulty.FaultyForCausalLM"},
    }
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return {"name_or_path": str(place), "weights": "random", "trust_remote_code": True}


def make_tiny(folder: Path) -> None:
    """The tiny models and data of the examples, in ``tiny`` of a folder; in this process, which has torch already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["make_tiny.py", "--into", str(folder / "tiny")])
        runpy.run_path(str(EXAMPLES / "make_tiny.py"), run_name="__main__")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "accumcheck", *map(str, arguments)]


def accumcheck(
    *arguments: str | Path, env: Mapping[str, str] | None = None, timeout: float = 240, cwd: Path | None = None
) -> Ended:
    """Run the program to its end."""
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def run_together(
    folder: Path, configured: Mapping[str, Callable[[Path], Mapping[str, Any]]], *, allow_skipped: bool = False
) -> dict[str, Ended]:
    """Run configurations as ``accumcheck run --format json`` does, in one launch, which imports everything once.

    Args:
        folder: each run has a folder of its name in it.
        configured: by name, what makes a run's configuration, and the files that it needs, in its folder.
        allow_skipped: as ``--allow-skipped``.
    """
    paths = []
    for name, configure in configured.items():
        place = folder / name
        place.mkdir()
        paths.append(place / "check.yaml")
        paths[-1].write_text(yaml.safe_dump(dict(configure(place))), encoding="utf-8")
    reports = run_checks([load_config(path) for path in paths], allow_skipped=allow_skipped)
    return {
        name: Ended(report.exit_code, report_to_json(report), "")
        for name, report in zip(configured, reports, strict=True)
    }


def leftovers(mark: str) -> Sequence[int]:
    """Processes whose environment carries ``mark``: those that a test started, and all that these started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found
