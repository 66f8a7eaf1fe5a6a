"""Rules where weights cannot be solved for: of samples that are nearly alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accumcheck.config.sections import ToleranceConfig
from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import Split
from tests.judge import runs
from tests.judge.runs import TOKENS, B, check, observe, reference, right

CONTROL = Split.parse("1x8x1")


def judged(monkeypatch: pytest.MonkeyPatch, scale: float) -> Judgement:
    """Gradients that differ by parts of a hundred thousand, less than is solved for."""
    draw = np.random.default_rng(5)
    alike = draw.normal(size=runs.WIDTH) + 1e-5 * draw.normal(size=(runs.SAMPLES, runs.WIDTH))
    monkeypatch.setattr(runs, "GRADIENTS", alike)
    observed = observe(CONTROL, lambda split, fed: scale * right(split, fed))
    norms = [
        float(np.linalg.norm(TOKENS[first : first + B] / TOKENS[first : first + B].sum() @ alike[first : first + B]))
        for first in (0, B)
    ]
    truth = replace(reference(), gradients=alike, grad_norms=tuple(norms))
    tight = check(["1x8x1"], tolerances=ToleranceConfig(gradient=1e-6, grad_norm=1e-6))
    return judge(tight, [observed], CONTROL, truth)


def test_a_right_gradient_follows_the_right_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch, 1.0).gradient_rule == "token-mean"


def test_a_wrong_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch, 1.01).gradient_rule != "token-mean"
