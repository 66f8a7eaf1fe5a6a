"""Mutants are one change each, are put into a process without touching a file, and their table counts what it says."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mutants as page
import pytest
from mutation import mutants, stack, suites
from mutation.operators import changes, is_skipped
from mutation.runs import FAR, is_another_loss, run

from accumcheck.stacks.programs.trl_scripts import TrlConfig
from accumcheck.stacks.registry import admit
from tests.releases import since
from tests.report import examples

FOLDER = Path(page.__file__).parent


@pytest.mark.parametrize(
    ("code", "instead"),
    [
        ("a / b", ["a * b"]),
        ("a % b == 0", ["a % b != 0"]),
        ("a < b", ["a <= b", "a >= b"]),
        ("a and b", ["a or b"]),
        ("not a", ["a"]),
        ("True", ["False"]),
        ("1", ["2"]),
        ("None", []),
        ("'words'", []),
        ("f(a, count=c)", ["f(a)"]),
        ("b if f(a) else c", ["b if not f(a) else c"]),
    ],
)
def test_an_expression_is_changed_by_one_operator(code: str, instead: list[str]) -> None:
    node = ast.parse(code, mode="eval").body
    assert [ast.unparse(ast.fix_missing_locations(found)) for _, found in changes(node)] == instead


@pytest.mark.parametrize(
    ("code", "instead"),
    [
        ("loss += part", ["loss -= part", "loss = part"]),
        ("loss = loss / k", ["pass"]),
        ("loss = other / k", []),
        ("model.zero_grad()", ["pass"]),
    ],
)
def test_a_statement_is_changed_or_left_out(code: str, instead: list[str]) -> None:
    (node,) = ast.parse(code).body
    found = [ast.unparse(ast.fix_missing_locations(ast.copy_location(one, node))) for _, one in changes(node)]
    assert found == instead


@pytest.mark.parametrize(
    ("code", "skipped"),
    [("logger.info(1 + 1)", True), ("raise ValueError(k + 1)", True), ("'docstring'", True), ("model.step(1)", False)],
)
def test_words_and_logs_are_no_arithmetic(code: str, skipped: bool) -> None:
    assert is_skipped(ast.parse(code).body[0]) == skipped


@since("5.0.0", "Trainer has no _run_epoch, one of the functions that the benchmark changes")
def test_every_mutant_has_an_id_of_its_own_and_compiles() -> None:
    every = mutants.every(("trainer", "accelerate"))
    assert len(every) > 200
    assert len({one.id for one in every}) == len(every)
    assert {"Trainer.compute_loss", "Accelerator.backward", "AcceleratedOptimizer.step"} <= {o.function for o in every}


def test_trls_own_loss_is_among_what_is_changed() -> None:
    if mutants.source_of("trl.trainer.sft_trainer") is None:
        pytest.skip("trl is not installed")
    every = mutants.every(("sft",))
    assert "SFTTrainer.compute_loss" in {one.function for one in every}
    assert len({one.id for one in every}) == len(every) > 20


def test_a_check_of_trls_script_carries_its_run_and_its_mutant() -> None:
    admit(stack.SFT)
    check = suites.check("sft, dft", "m:f:1:constant:1", 7)
    assert check.stack == "mutated-sft:7:m:f:1:constant:1"
    assert check.own(TrlConfig).arguments[-2:] == ("--loss_type", "dft")


@pytest.mark.process
def test_a_mutant_runs_in_its_process_and_the_file_stays_as_it_is() -> None:
    """``loss / k`` becomes ``loss * k``: the gradient of x is 3 times what it was, not a third of it."""
    (chosen,) = [
        one for one in mutants.every(("accelerate",)) if one.before == "loss / self.gradient_accumulation_steps"
    ]
    code = (
        "import sys, torch\n"
        f"sys.path.insert(0, {str(FOLDER)!r})\n"
        "from accelerate import Accelerator\n"
        "from mutation.mutants import apply, source_of\n"
        "before = source_of('accelerate.accelerator')\n"
        "if sys.argv[1] != 'none': apply(sys.argv[1])\n"
        "x = torch.ones((), requires_grad=True)\n"
        "Accelerator(cpu=True, gradient_accumulation_steps=3).backward(x * 1.0)\n"
        "assert source_of.__wrapped__('accelerate.accelerator') == before\n"
        "print(float(x.grad))\n"
    )
    found = [
        float(subprocess.run([sys.executable, "-c", code, one], capture_output=True, text=True, check=True).stdout)
        for one in ("none", chosen.id)
    ]
    assert found == pytest.approx([1 / 3, 3.0])


def test_a_loss_is_another_where_the_reference_is_and_not_where_a_split_is() -> None:
    right = examples.clean()
    first, *others = right.reference
    assert first.loss is not None
    moved = replace(first, loss=first.loss * (1 + 2 * FAR))
    assert is_another_loss(replace(right, reference=(moved, *others)), right)
    rounded = replace(first, loss=first.loss * (1 + FAR / 2))
    assert not is_another_loss(replace(right, reference=(rounded, *others)), right)
    assert not is_another_loss(replace(examples.llava_449(), reference=right.reference), right)


def result(fate: str, accused: bool | None = None, theirs: str = "") -> page.Result:
    mutant = mutants.Mutant("m:f:1:constant:1", "trainer", "m", "f", 1, "constant", "1", "2")
    return page.Result(mutant, fate, "steps", "fail: token-mean*k", accused, theirs)


def test_transformers_tests_are_asked_of_nothing_of_trls() -> None:
    found = result("killed", True)
    lines = page.table([found, replace(found, mutant=replace(found.mutant, suite="sft"))]).splitlines()
    assert any(line.endswith("| 2 of 2 | 0 of 1 |") for line in lines)


def test_the_table_counts_only_mutants_that_matter() -> None:
    results = [
        result("killed", True, "aligned"),
        result("killed", False),
        replace(result("killed"), how="error: TypeError"),
        result("survived"),
        result("equivalent"),
        result("rounding"),
        result("another loss"),
        result("not executed"),
    ]
    lines = page.table(results).splitlines()
    assert any(line.startswith("| all | 8 | 1 | 1 | 1 | 1 | 3 | 1 | 1 | 75.0% | 1 of 2 | 1 of 4 |") for line in lines)
    assert sum(line.startswith("survived: ") for line in lines) == 1
    assert sum(line.startswith("not rightly accused: ") for line in lines) == 1


@pytest.mark.e2e
def test_a_loop_that_does_not_step_at_the_end_of_its_epoch_is_caught_and_the_right_one_passes() -> None:
    ends = "accelerate.state:GradientState.sync_with_dataloader:"
    (mutant,) = [one.id for one in mutants.every(("accelerate",)) if one.id.startswith(ends) and one.before == "True"]
    right, wrong = run([(suites.EPOCH, "none"), (suites.EPOCH, mutant)])
    assert (right.report.verdict, right.report.findings) == ("pass", ())
    assert [split.verdict for split in wrong.report.splits] == ["pass", "fail"]
    assert "1x2x4 makes 1 optimizer step" in " ".join(finding.summary for finding in wrong.report.findings)
