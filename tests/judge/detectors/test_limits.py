"""What could not be tested is said."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import ProgramRecord, Split
from accumcheck.stacks.script import ScriptConfig
from tests.judge.detectors.seen import CONTROL
from tests.judge.runs import GRADIENTS, SPLITS, TOKENS, check, observe, reference, right


def judged(*, zero: bool, unused: tuple[str, ...] = ()) -> Judgement:
    """A right run; with ``zero`` no sample has a gradient in the parameter ``first``, of 20 entries."""
    gradients = GRADIENTS.copy()
    if zero:
        gradients[:, :20] = 0
    truth = reference()
    norms, runs = [], []
    for members in truth.membership:
        tokens = TOKENS[list(members)]
        norms.append(float(sum((tokens / tokens.sum() @ gradients[list(members)]) ** 2) ** 0.5))
    for split in SPLITS:
        run = observe(Split.parse(split), right)
        steps = []
        for step, norm in zip(run.steps, norms, strict=True):
            own = {process: gradient.copy() for process, gradient in step.gradients.items()}
            for gradient in own.values():
                gradient[:20] = 0 if zero else gradient[:20]
            steps.append(replace(step, gradients=own, grad_norms=dict.fromkeys(own, norm), logged_grad_norm=norm))
        runs.append(replace(run, steps=tuple(steps)))
    return judge(
        check(SPLITS), runs, CONTROL, replace(truth, gradients=gradients, grad_norms=tuple(norms), unused=unused)
    )


def test_a_parameter_whose_gradient_is_exactly_zero_is_listed_and_a_warning() -> None:
    found = judged(zero=True)
    assert (found.verdict, found.exit_code, found.not_tested) == ("warn", 0, ("first",))
    assert [(one.id, one.severity) for one in found.findings] == [("parameters-not-tested", "warn")]
    assert found.findings[0].summary == "first is not tested: its true gradient is exactly zero here"


def test_a_parameter_that_no_loss_depends_on_is_listed_and_no_warning() -> None:
    found = judged(zero=True, unused=("first",))
    assert (found.verdict, found.not_tested, found.findings) == ("pass", ("first",), ())


def test_parameters_with_a_gradient_are_tested() -> None:
    found = judged(zero=False)
    assert (found.verdict, found.not_tested, found.findings) == ("pass", (), ())


def test_accuracy_is_judged_where_there_is_an_independent_loss() -> None:
    assert judged(zero=False).accuracy == "judged"
    runs = [observe(Split.parse(split), right) for split in SPLITS]
    alone = judge(check(SPLITS), runs, CONTROL, replace(reference(), not_judged="the loss is made elsewhere"))
    assert (alone.accuracy, judge(check(SPLITS), runs, CONTROL, None).accuracy) == ("not judged", "not judged")


def without_losses(program: bool) -> Judgement:
    """A right run whose stack said no loss."""
    runs = [observe(Split.parse(split), right) for split in SPLITS]
    made = ProgramRecord(("the command line",), "row") if program else None
    silent = [replace(run, steps=tuple(replace(step, loss=None) for step in run.steps), program=made) for run in runs]
    asked = check(SPLITS, stack="script", script=ScriptConfig(path="train.py")) if program else check(SPLITS)
    return judge(asked, silent, CONTROL, reference())


def test_a_loop_that_reports_no_loss_is_told_how() -> None:
    found = without_losses(program=True)
    (note,) = [one for one in found.findings if one.id == "loss-not-reported"]
    assert (found.exit_code, note.severity, note.splits) == (0, "ignore", ())
    assert "from accumcheck import report_loss; report_loss(loss)" in note.advice


def test_a_stack_that_reports_none_is_an_error_of_its_own_and_one_that_does_is_told_nothing() -> None:
    for found in (without_losses(program=False), judged(zero=False)):
        assert "loss-not-reported" not in {one.id for one in found.findings}
