"""Models that depend on their batch, in real runs: what batching does is a warning, what the stack does is not."""

from __future__ import annotations

from typing import Any

import pytest

from accumcheck.check import run_checks
from accumcheck.config.model import CheckConfig, LauncherConfig, ModelConfig
from accumcheck.record import Split

pytestmark = pytest.mark.e2e

RESNET = ModelConfig(config={"model_type": "resnet"}, architecture="ResNetForImageClassification", shrink=True)
AUXILIARY: dict[str, Any] = {"model_type": "mixtral", "output_router_logits": True, "router_aux_loss_coef": 0.05}
MIXTRAL = ModelConfig(config=AUXILIARY, shrink=True)


def check(model: ModelConfig, stack: str = "trainer") -> CheckConfig:
    return CheckConfig(
        model=model,
        global_batch_size=8,
        steps=1,
        splits=tuple(map(Split.parse, ("1x8x1", "1x4x2", "2x2x2"))),
        stack=stack,
        launcher=LauncherConfig(device="cpu", timeout=120),
    )


def test_batching_is_told_from_what_the_stack_does() -> None:
    # planted:none weights every micro-batch by its predictions, which is right
    clean, resnet, mixtral = run_checks([check(RESNET, "planted:none"), check(RESNET), check(MIXTRAL)])

    assert (clean.verdict, clean.exit_code) == ("warn", 0)
    assert [split.verdict for split in clean.splits] == ["pass", "warn", "warn"]
    (finding,) = clean.findings
    assert "batch normalisation (" in finding.summary
    assert "explains 100% in 1x4x2, 100% in 2x2x2" in finding.summary

    # the head ignores the token count that Trainer passes it, so that nothing divides by k, or by n
    assert resnet.exit_code == 1
    assert resnet.gradient_rule == "token-mean*k*n"
    assert [finding.id for finding in resnet.findings] == ["batch-dependent-model", "token-mean*k*n"]

    # the tokens' part is right; the load-balancing loss is added in each of the k n micro-batches
    assert mixtral.exit_code == 1
    assert "because of aux_loss, times 0.05 in the loss" in mixtral.findings[0].summary
    assert "aux_loss is counted k*n times its mean" in mixtral.findings[-1].explanation
