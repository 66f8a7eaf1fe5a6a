"""Faults and models in real Trainers, in one launch: causes, what depends on the batch, and small errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from accumcheck.check import run_checks
from accumcheck.config.model import CheckConfig, DataConfig, DType, LauncherConfig, ModelConfig, SyntheticData
from accumcheck.record import Report, Split
from accumcheck.selftest.case import LLAMA
from accumcheck.selftest.cases import FAULTY

pytestmark = pytest.mark.e2e

CAUSES = {
    "loss and gradient times k": (
        r"Planted multiplies the mean loss of each micro-batch by its share of the predicted tokens of the global "
        r"batch, and by k n; it should have been multiplied by n, since gradients are averaged over n processes\.",
        None,
    ),
    "log alone times k": (r"Loss token-mean\*k, gradient token-mean: .*", None),  # nothing of this was seen in a worker
    "mean of means": (
        r"LlamaForCausalLM divides by the token count that it is passed, but Planted passes it none.*\. "
        r"So each micro-batch's loss is multiplied by 1/k before backward, however many tokens it has\.",
        r"transformers/models/llama/modeling_llama\.py:\d+",
    ),
    "sum of means": (
        r"LlamaForCausalLM divides by .*, but Planted passes it none.*\. So nothing divides by k: each micro-batch's "
        r"loss is multiplied by 1 before backward; it should have been multiplied by 1/k.*\.",
        r"transformers/trainer\.py:\d+",
    ),
    "mean over each device": (
        r"Planted multiplies the mean loss of each micro-batch by its share of the predicted tokens of its own "
        r"process\.",
        None,
    ),
}
"""By the name of the case: the end of the explanation, and the source."""

RESNET = ModelConfig(config={"model_type": "resnet"}, architecture="ResNetForImageClassification", shrink=True)
AUXILIARY: dict[str, Any] = {"model_type": "mixtral", "output_router_logits": True, "router_aux_loss_coef": 0.05}
MIXTRAL = ModelConfig(config=AUXILIARY, shrink=True)
WRONG: dict[DType, float] = {"bfloat16": 0.02, "float16": 3e-3}
"""By the dtype: an error in one sample's weight that it must show."""


def depends(model: ModelConfig, stack: str = "trainer") -> CheckConfig:
    """A check of a model that may depend on its batch."""
    return CheckConfig(
        model=model,
        global_batch_size=8,
        steps=1,
        splits=tuple(map(Split.parse, ("1x8x1", "1x4x2", "2x2x2"))),
        stack=stack,
        launcher=LauncherConfig(device="cpu", timeout=120),
    )


def planted(dtype: DType, size: float) -> CheckConfig:
    """A check in which one sample's weight is off by so much."""
    return CheckConfig(
        model=ModelConfig(config=LLAMA, dtype=dtype),
        data=DataConfig(synthetic=SyntheticData(min_length=4, max_length=24)),
        global_batch_size=8,
        steps=1,
        splits=tuple(map(Split.parse, ("1x8x1", "1x1x8"))),
        stack=f"planted:weight-error={size}",
        launcher=LauncherConfig(device="cpu", timeout=120),
    )


CHECKS: dict[str, CheckConfig] = {
    **{case.name: case.check for case in FAULTY if case.name in CAUSES},
    # planted:none weights every micro-batch by its predictions, which is right
    "resnet, right": depends(RESNET, "planted:none"),
    "resnet": depends(RESNET),
    "mixtral": depends(MIXTRAL),
    **{f"{dtype}, wrong": planted(dtype, size) for dtype, size in WRONG.items()},
    **{dtype: planted(dtype, 0.0) for dtype in WRONG},
}


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    return dict(zip(CHECKS, run_checks(list(CHECKS.values())), strict=True))


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_is_found_in_the_workers(reports: dict[str, Report], name: str) -> None:
    words, source = CAUSES[name]
    (found,) = reports[name].findings
    assert re.fullmatch(words, found.explanation.splitlines()[-1]), found.explanation
    assert (found.source is None) == (source is None)
    assert source is None or re.fullmatch(source, found.source or "")


def verdicts(report: Report) -> Sequence[str]:
    return [split.verdict for split in report.splits]


def test_what_batching_does_is_a_warning(reports: dict[str, Report]) -> None:
    clean = reports["resnet, right"]
    assert (clean.verdict, clean.exit_code) == ("warn", 0)
    assert verdicts(clean) == ["pass", "warn", "warn"]
    (finding,) = clean.findings
    assert "batch normalisation (" in finding.summary
    assert "explains 100% in 1x4x2, 100% in 2x2x2" in finding.summary


def test_what_the_stack_does_to_a_model_that_depends_on_its_batch_fails(reports: dict[str, Report]) -> None:
    # the head ignores the token count that Trainer passes it, so that nothing divides by k, or by n
    resnet = reports["resnet"]
    assert resnet.exit_code == 1
    assert resnet.gradient_rule == "token-mean*k*n"
    assert [finding.id for finding in resnet.findings] == ["batch-dependent-model", "token-mean*k*n"]

    # the tokens' part is right; the load-balancing loss is added in each of the k n micro-batches
    mixtral = reports["mixtral"]
    assert mixtral.exit_code == 1
    assert "because of aux_loss, times 0.05 in the loss" in mixtral.findings[0].summary
    assert "aux_loss is counted k*n times its mean" in mixtral.findings[-1].explanation


@pytest.mark.parametrize("dtype", WRONG)
def test_a_small_error_in_one_weight_is_caught_and_rounding_is_not(reports: dict[str, Report], dtype: str) -> None:
    """2 percent in bfloat16, 0.3 in float16; the same runs without a fault pass."""
    caught, clean = reports[f"{dtype}, wrong"], reports[dtype]
    assert verdicts(caught) == ["pass", "fail"]
    assert (caught.exit_code, caught.gradient_rule) == (1, "unexplained")
    assert "sample 3 weighs 1.0" in caught.findings[0].summary
    assert (clean.verdict, clean.gradient_rule) == ("pass", "token-mean")
    shares = [split.steps[0].vs_reference.sample for split in clean.splits]
    assert all(share is not None and share < 1 for share in shares)
