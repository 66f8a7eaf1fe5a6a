"""``accumcheck compare`` with reports that somebody, or something, has changed: never a traceback, never a pass."""

from __future__ import annotations

import copy
import io
import json
import math
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accumcheck.cli import main
from accumcheck.record import Report
from accumcheck.saved.reports import report_to_dict, report_to_json
from tests.drawn import examples as tried
from tests.report import examples

BASES: dict[str, Callable[[], Report]] = {
    made.__name__: made
    for made in (
        *(examples.clean, examples.llava_449, examples.undecided, examples.not_a_number, examples.warned),
        *(examples.skipped, examples.hotfixed, examples.no_reference, examples.no_model, examples.hostile),
    )
}
bounded = settings(
    deadline=None,
    database=None,
    derandomize=True,  # the same every time: a build is not broken by what another one drew
    max_examples=tried(120),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.sampled_from(
        [0, 1, -1, 3, 130, 2**63, 10**299, 1e308, "NaN", "Infinity", "-Infinity", "", [], {}, [[]], {"": 0}]
    ),
    st.sampled_from(["pass", "warn", "fail", "error", "skipped", "ran", "ignore", "token-mean", "1x128x1", "4x16x2"]),
    st.sampled_from(["0x1x1", "1x1x99999999999999999999", "1.0", "\ud800", "\0", "\x1b[2J", "::error::x", "a" * 5000]),
    st.text(max_size=20),
)


@st.composite
def changed(draw: st.DrawFn, base: dict[str, Any]) -> dict[str, Any]:
    """The report with one to three values dropped, replaced, doubled, nested or exchanged."""
    plain = copy.deepcopy(base)
    for _ in range(draw(st.integers(1, 3))):
        inside: Any = plain
        while True:
            key = draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
            deeper = isinstance(inside[key], (dict, list)) and len(inside[key]) > 0
            if not deeper or draw(st.integers(0, 4)) == 0:
                break
            inside = inside[key]
        act = draw(st.sampled_from(["drop", "replace", "replace", "double", "nest", "exchange", "scale"]))
        if act == "drop":
            del inside[key]
        elif act == "replace":
            inside[key] = copy.deepcopy(draw(VALUES))  # which may be changed in the next round
        elif act == "double" and isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        elif act == "nest":
            for _ in range(draw(st.sampled_from([1, 2, 150]))):
                inside[key] = [inside[key]] if draw(st.booleans()) else {"a": inside[key]}
        elif act == "exchange":
            other = draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
            inside[key], inside[other] = inside[other], inside[key]
        elif act == "scale" and isinstance(inside[key], float):
            inside[key] *= draw(st.sampled_from([0.0, -1.0, 1.0001, 2.0, 1e6]))
        if not plain:
            break
    return plain


def compare(old: str, new: bytes, folder: Path) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of ``accumcheck compare``."""
    (folder / "old.json").write_text(old)
    (folder / "new.json").write_bytes(new)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["compare", str(folder / "old.json"), str(folder / "new.json")])
    return code, out.getvalue(), err.getvalue()


def check_answer(code: int, out: str, err: str, folder: Path) -> None:
    """Every answer is a comparison, or a message with the file's name in every line."""
    assert "Traceback" not in err
    assert "bug in accumcheck" not in err
    assert code in (0, 1, 2, 3)
    if code == 2:
        assert out == ""
        assert err
        two_checks = "the reports cannot be compared; their checks differ:" in err
        assert two_checks or all(line.startswith(str(folder / "new.json")) for line in err.splitlines())
    else:
        assert err == ""
        assert f"(exit code {code}" in " ".join(out.split())


def says_pass(plain: dict[str, Any], labels: set[str]) -> bool:
    """Whether a report says of every one of these splits that it was compared and is right; written for this test."""
    allowed = plain["tolerances"]
    found = {split["split"]: split for split in plain["splits"]}
    if plain["exit_code"] != 0 or plain["verdict"] not in ("pass", "warn") or not labels <= set(found):
        return False
    if len(found) != len(plain["splits"]) or not plain["reference"]:
        return False
    for split in found.values():
        if split["status"] != "ran" or split["verdict"] not in ("pass", "warn") or not split["steps"]:
            return False
        if len(split["steps"]) != len(plain["reference"]):
            return False
        for step, right in zip(split["steps"], plain["reference"], strict=True):
            if not all(isinstance(step[name], (int, float)) for name in ("loss", "grad_norm")):
                return False
            if not math.isclose(step["loss"], right["loss"], rel_tol=2 * allowed["loss"]):
                return False
            for against in ("vs_control", "vs_reference"):
                for name in ("loss", "grad_norm", "gradient"):
                    if not step[against][name] <= allowed[name] < math.inf:
                        return False
    return True


@pytest.mark.parametrize("base", BASES)
def test_what_is_compared_with_itself_is_no_worse(base: str, tmp_path: Path) -> None:
    text = report_to_json(BASES[base]())
    code, out, err = compare(text, text.encode(), tmp_path)
    check_answer(code, out, err, tmp_path)
    if base == "no_model":  # it has no split to compare
        assert code == 2
    else:
        assert code == (3 if base in ("undecided", "skipped", "no_reference") else 0)


@bounded
@given(data=st.data())
def test_a_passing_report_that_was_changed_passes_only_if_it_still_says_so(data: st.DataObject, tmp_path: Path) -> None:
    base = report_to_dict(examples.clean())
    plain = data.draw(changed(base))
    code, out, err = compare(json.dumps(base), json.dumps(plain).encode(), tmp_path)
    check_answer(code, out, err, tmp_path)
    if code == 0:
        assert says_pass(plain, {split["split"] for split in base["splits"]})


@bounded
@given(data=st.data(), name=st.sampled_from(sorted(BASES)))
def test_a_report_that_was_changed_is_compared_or_refused(data: st.DataObject, name: str, tmp_path: Path) -> None:
    base = report_to_dict(BASES[name]())
    plain = data.draw(changed(base))
    check_answer(*compare(json.dumps(base), json.dumps(plain).encode(), tmp_path), tmp_path)


@bounded
@given(data=st.data(), name=st.sampled_from(sorted(BASES)))
def test_bytes_that_were_changed_are_compared_or_refused(data: st.DataObject, name: str, tmp_path: Path) -> None:
    text = report_to_json(BASES[name]())
    raw = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw)))
        act = data.draw(st.sampled_from(["cut", "insert", "remove"]))
        if act == "cut":
            del raw[at:]
        elif act == "remove":
            del raw[at : at + data.draw(st.integers(1, 40))]
        else:
            raw[at:at] = data.draw(st.binary(max_size=4) | st.sampled_from([b"[" * 2000, b'"', b"9" * 400, b"1"]))
    check_answer(*compare(text, bytes(raw), tmp_path), tmp_path)
