"""The cause of a planted fault, traced through real processes: what was seen in the workers reaches the finding."""

from __future__ import annotations

import re

import pytest

from accumcheck.check import run_checks
from accumcheck.record import Finding
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


def test_the_cause_is_found_in_the_workers() -> None:
    cases = [case for case in FAULTY if case.name in CAUSES]
    assert len(cases) == len(CAUSES)
    found: dict[str, Finding] = {}
    for case, report in zip(cases, run_checks([case.check for case in cases]), strict=True):
        (found[case.name],) = report.findings
    for name, (words, source) in CAUSES.items():
        assert re.fullmatch(words, found[name].explanation.splitlines()[-1]), found[name].explanation
        assert (found[name].source is None) == (source is None)
        assert source is None or re.fullmatch(source, found[name].source or "")
