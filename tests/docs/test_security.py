"""SECURITY.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from accumcheck.authors_code import code_of_author
from accumcheck.cli import main
from accumcheck.config.load import load_config
from accumcheck.redaction import HIDDEN, redacted, redacted_text
from accumcheck.stacks.protocol import ProgramSpec
from accumcheck.stacks.registry import STACKS

TEXT = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
COMMAND = "accumcheck run check.yaml --no-programs"


def test_the_refusal_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("")
    text = "stack: script\nscript: {path: train.py}\nglobal_batch_size: 4\nsplits: [1x4x1, 1x2x2]\n"
    Path("check.yaml").write_text(text)
    assert code_of_author(load_config(Path("check.yaml")))
    assert main(COMMAND.split()[1:]) == 2
    shown = TEXT.split(f"$ {COMMAND}\n")[1].split("```")[0]
    assert capsys.readouterr().err == shown.replace("/home/me", str(tmp_path))


def test_every_program_is_named() -> None:
    table = TEXT.split("## What a configuration can run")[1].split("`--no-programs`")[0]
    named = set(re.findall(r"[\w-]+", table))
    programs = {stack.name for stack in STACKS if isinstance(stack, ProgramSpec)}
    assert programs - named <= {"sentence-transformers"}  # which "any other stack that is a program" stands for


@pytest.mark.parametrize("name", ["hub_token", "hub-token", "hubToken", "HUB_TOKEN"])
def test_names_that_are_listed(name: str) -> None:
    assert f"`{name}`" in TEXT
    assert redacted({name: "open sesame"}) == {name: HIDDEN}


def test_flags_that_are_listed() -> None:
    for written in ("[--hub_token, X]", "--hub_token=X", "--hub_token X"):
        assert f"`{written}`" in TEXT
    assert redacted(["--hub_token", "X"]) == ["--hub_token", HIDDEN]
    assert redacted_text("--hub_token=X --hub_token X") == f"--hub_token={HIDDEN} --hub_token {HIDDEN}"


def test_what_is_not_hidden() -> None:
    plain = {"hub_token": "$HF_TOKEN", "eos_token": "</s>", "pad_token": "x", "max_tokens": 5}
    assert redacted(plain) == plain
