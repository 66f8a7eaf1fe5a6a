"""Known failures in a configuration: how they are read, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accumcheck.config.expect import ExpectedFailure
from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.errors import ConfigError

BASE = "model: {config: {model_type: llama}}\nglobal_batch_size: 8\nsplits: [1x8x1, 1x2x4]\n"


def read(folder: Path, text: str) -> CheckConfig:
    path = folder / "check.yaml"
    path.write_text(BASE + text)
    return load_config(path)


def test_an_entry_is_read_with_canonical_names_and_travels_to_workers(tmp_path: Path) -> None:
    entry = "{rule: microbatch-mean*n*k, splits: [' 1X2x4'], reason: 'transformers#47688', until: transformers 5.30}"
    check = read(tmp_path, f"expect:\n  - {entry}\n  - {{finding: order, reason: known}}\n")
    assert check.expect == (
        ExpectedFailure("transformers#47688", rule="microbatch-mean*k*n", splits=("1x2x4",), until="transformers 5.30"),
        ExpectedFailure("known", finding="order"),
    )
    assert CheckConfig.from_dict(json.loads(json.dumps(check.to_dict()))) == check


def test_nothing_is_expected_by_default(tmp_path: Path) -> None:
    assert read(tmp_path, "").expect == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("expect: microbatch-mean", "expect: found 'microbatch-mean' (text); expected a list of at most 256 known"),
        ("expect: [{rule: microbatch-mean}]", "check.yaml:4: expect[0].reason: missing; add for example reason:"),
        ("expect: [{reason: known}]", "check.yaml:4: expect[0]: missing rule or finding"),
        ("expect: [{reason: known, rule: micro}]", "check.yaml:4: expect[0].rule: unknown weighting rule"),
        ("expect: [{reason: known, rule: microbatch-mean, splits: [1x4x4]}]", "1x4x4 is not among splits"),
        (
            "expect: [{reason: known, rule: microbatch-mean, splits: [8]}]",
            "check.yaml:4: expect[0].splits: found a list; expected a list of splits",
        ),
        ("expect: [{reason: known, rule: microbatch-mean, splits: 1x2x4}]", "expected a list of splits"),
        ("expect: [{reason: known, rule: microbatch-mean, until: '5.30'}]", "expected a package and a release"),
        ("expect: [{reason: known, rule: microbatch-mean, untill: x 1}]", "did you mean 'until'?"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, text)
    (line,) = str(refused.value).splitlines()
    assert words in line
