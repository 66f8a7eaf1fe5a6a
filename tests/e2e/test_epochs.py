"""Whole epochs with the real Trainer: the last step of an epoch takes what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import accumcheck, write_config

pytestmark = pytest.mark.e2e


def test_the_end_of_an_epoch_is_the_same_under_every_split(tmp_path: Path) -> None:
    # 12 samples: 1x2x4 has 2 micro-batches for its last step, and 2x4x1 has to fill a micro-batch
    keys = {"data": {"epochs": 2, "samples": 12}, "steps": 4, "splits": ["1x8x1", "1x2x4", "2x2x2", "2x4x1"]}
    ended = accumcheck("run", write_config(tmp_path, **keys), "--format", "json")
    assert ended.code == 0, ended.out + ended.err
    assert [split["verdict"] for split in ended.report["splits"]] == ["pass", "pass", "pass", "warn"]
    for split in ended.report["splits"][:3]:
        assert [step["samples"] for step in split["steps"]] == [8, 4, 8, 4]
    assert [step["samples"] for step in ended.report["splits"][3]["steps"]] == [8, 8, 8, 8]
    assert [finding["id"] for finding in ended.report["findings"]] == ["padded-samples"]
