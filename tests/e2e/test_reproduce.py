"""From a fault of the installed Trainer to a script that shows it, and no longer does when the fault is cured."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from accumcheck.record import Report
from accumcheck.reproduce.script import script
from accumcheck.saved.reports import report_to_json
from tests.e2e.program import accumcheck
from tests.reproduce.subjects import HEADING, report, text_case

pytestmark = pytest.mark.e2e

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
IGNORES_COUNTS = {
    "config": {"model_type": "bert", "vocab_size": 128, **SIZES},
    "architecture": "BertForSequenceClassification",
}
"""Its classification head is passed a token count and ignores it: nothing divides by k."""


def a_report() -> Report:
    """What a run of this model comes to, made by hand; under the releases that are installed."""
    made = report(model=IGNORES_COUNTS, training_arguments={"seed": 3, "max_grad_norm": 1.0})
    trainer = version("transformers")
    (finding,) = made.findings
    here = replace(made.environment, transformers=trainer, stack_version=trainer, accelerate=version("accelerate"))
    return replace(made, environment=here, findings=(replace(finding, known=()),))


BOTH = "import runpy, sys; [runpy.run_path(path, run_name='__main__') for path in sys.argv[1:]]"


def run_both(folder: Path, right: str, wrong: str) -> subprocess.CompletedProcess[str]:
    """A script that ends well, and then one that shows a fault: imports take longer than either."""
    paths = [folder / "right.py", folder / "wrong.py"]
    for path, text in zip(paths, (right, wrong), strict=True):
        path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", BOTH, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, cwd=folder)


def test_a_fault_of_trainer_ends_in_a_script(tmp_path: Path) -> None:
    saved = tmp_path / "report.json"
    saved.write_text(report_to_json(a_report()), encoding="utf-8")
    path = tmp_path / "repro.py"
    made = accumcheck("reproduce", saved, "-o", path, timeout=400)
    assert made.code == 0, made.err
    text = path.read_text(encoding="utf-8")
    assert "accumcheck" not in text
    assert text.count("\n") <= 80
    assert "B, K, N = 1, 2, 1" in text  # the smallest split
    assert "'num_hidden_layers': 1" in text  # the smallest model
    assert "seed=3" not in text  # an argument that the fault does not need
    cured = text.replace("\ntrainer.train()", "\ntrainer.model_accepts_loss_kwargs = False\ntrainer.train()")
    both = run_both(tmp_path, cured, text)
    assert both.returncode == 1, both.stderr
    of_cured, of_fault = both.stdout.splitlines()
    assert "(x 1.000)" in of_cured
    assert of_fault == text.rstrip().splitlines()[-1].removeprefix("# ")
    assert "(x 2.000)" in of_fault


@pytest.mark.parametrize("stack", ["trl-sft", "trl-dpo", "trl-reward", "sentence-transformers"])
def test_scripts_that_train_on_texts_tell_a_right_trainer_from_a_wrong_one(stack: str, tmp_path: Path) -> None:
    pytest.importorskip(stack.partition("-")[0] if stack.startswith("trl") else "sentence_transformers")
    text = script(text_case(stack, "1x2x2"), HEADING)
    # the sum over the accumulation steps is not divided by k: as if the trainer's loss were k times as large
    fault = "original = trainer.compute_loss\ntrainer.compute_loss = lambda *a, **k: original(*a, **k) * K\n"
    ended = run_both(tmp_path, text, text.replace("\ntrainer.train()", f"\n{fault}trainer.train()"))
    assert ended.returncode == 1, ended.stderr
    right, wrong = (line for line in ended.stdout.splitlines() if line.startswith("loss "))
    assert "(x 1.000)" in right
    assert "(x 2.000)" in wrong
    assert wrong.endswith("off by 1")
