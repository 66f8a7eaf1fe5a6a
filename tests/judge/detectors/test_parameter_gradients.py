"""Single parameters that are wrong, by name; a fault of all of them is none of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accumcheck.judge.detectors.parameter_gradients import wrong_parameters
from accumcheck.judge.judge import judge
from accumcheck.record import ReferenceObservation, Split, SplitObservation
from tests.judge.detectors.seen import CONTROL, evidence, found_by
from tests.judge.detectors.test_other_losses import AtRow, own_denominator, with_outputs
from tests.judge.detectors.test_other_losses import right as correct
from tests.judge.measure.test_by_control import TEXTS, observed, undecided
from tests.judge.runs import GRADIENTS, SPLITS, check, observe, reference, right, sum_of_means

SMALL = slice(0, 20)
"""The entries of the parameter ``first``."""


def small_first(dtype: str = "bfloat16") -> ReferenceObservation:
    """`reference`, with a first parameter that is a thousandth of the second."""
    truth = reference()
    gradients = GRADIENTS.copy()
    gradients[:, SMALL] *= 1e-3
    return replace(truth, gradients=gradients, grad_norms=(), model=replace(truth.model, dtype=dtype))


def lost(split: str, *, scale: float = 1e-3, times: float = 0.0) -> SplitObservation:
    """Right, but for the first parameter, whose gradient is ``times`` the right one; it is ``scale`` of `GRADIENTS`."""
    run = observe(Split.parse(split), right)
    steps = []
    for step in run.steps:
        gradients = {}
        for process, gradient in step.gradients.items():
            changed = gradient.copy()
            changed[SMALL] *= scale * times
            gradients[process] = changed
        norms = {process: float(np.linalg.norm(gradient)) for process, gradient in gradients.items()}
        steps.append(replace(step, gradients=gradients, grad_norms=norms, logged_grad_norm=norms[0]))
    return replace(run, steps=tuple(steps))


def runs(wrong: str | None, times: float = 0.0) -> list[SplitObservation]:
    return [lost(split, times=times if split == wrong else 1.0) for split in SPLITS]


def truth() -> ReferenceObservation:
    found = small_first()
    norms = []
    for members in found.membership:
        tokens = found.tokens[list(members)]
        norms.append(float(np.linalg.norm(tokens / tokens.sum() @ found.gradients[list(members)])))
    return replace(found, grad_norms=tuple(norms))


def bfloat16_check() -> object:
    run = check(SPLITS)
    return replace(run, model=replace(run.model, dtype="bfloat16"))


def test_a_small_parameter_that_is_zero_fails_its_split_and_is_named() -> None:
    given = runs("1x2x4")
    found = judge(bfloat16_check(), given, CONTROL, truth())  # type: ignore[arg-type]
    assert {str(one.split): one.verdict for one in found.splits} == {
        split: "fail" if split == "1x2x4" else "pass" for split in SPLITS
    }
    (finding,) = found.findings
    assert (finding.id, finding.splits, finding.gradient_rule) == ("wrong-parameters", ("1x2x4",), "unexplained")
    assert finding.summary == "one parameter has a wrong gradient while the others are right: first is zero"
    assert next(one for one in found.splits if one.verdict == "fail").gradient_rule == "unexplained"
    assert (found.verdict, found.exit_code) == ("fail", 1)


def test_so_many_times_the_right_one_is_said() -> None:
    found = judge(bfloat16_check(), runs("1x1x8", times=-1.0), CONTROL, truth())  # type: ignore[arg-type]
    assert found.findings[0].summary.endswith("first is -1 times the right one")


def test_right_splits_have_none() -> None:
    found = judge(bfloat16_check(), runs(None), CONTROL, truth())  # type: ignore[arg-type]
    assert (found.verdict, found.findings) == ("pass", ())


def test_the_same_fault_of_every_parameter_is_a_rule_and_none_of_these() -> None:
    given = [observe(Split.parse(split), sum_of_means) for split in SPLITS]
    assert list(wrong_parameters(evidence(given))) == []


def test_a_parameter_that_the_whole_gradient_shows_is_named_too() -> None:
    """Here ``first`` is a half of the gradient: beyond every tolerance, and no rule's doing."""
    given = lost("1x2x4", scale=1.0)
    detected = list(wrong_parameters(evidence([given])))
    assert found_by(detected) == [("wrong-parameters", "fail", ("1x2x4",), {"1x2x4": "unexplained"})]


def test_where_the_control_is_wrong_only_the_control_is_accused() -> None:
    detected = list(wrong_parameters(evidence([lost("1x8x1", scale=1.0)])))
    assert [one.finding.splits for one in detected] == [("1x8x1",)]


def accused_of_program(at_row: AtRow) -> list[tuple[str, tuple[str, ...]]]:
    """Findings on splits that lose ``first`` in a program whose loss is not judged."""
    runs = [with_outputs(observed(TEXTS[0]), correct)]
    for text in TEXTS[1:]:
        mine = observed(text, lambda _, gradient, __: np.where(np.arange(len(gradient)) < SMALL.stop, 0, gradient))
        runs.append(with_outputs(mine, at_row))
    found = judge(check(TEXTS), runs, CONTROL, replace(undecided(), unmixed="row"))
    return [(one.id, one.splits) for one in found.findings if one.severity == "fail"]


def test_a_parameter_of_a_program_is_named_if_its_loss_is_the_control_s() -> None:
    assert accused_of_program(correct) == [("wrong-parameters", tuple(TEXTS[1:]))]


def test_a_term_with_another_weight_reaches_some_parameters_only_and_is_a_fault_of_the_loss() -> None:
    assert [name for name, _ in accused_of_program(own_denominator)] == ["output-weights"]
