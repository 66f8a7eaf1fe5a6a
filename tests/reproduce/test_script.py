"""The text of a script: short, without accumcheck, and nothing in it that a report could smuggle in."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from accumcheck.reproduce.case import Field, Heading
from accumcheck.reproduce.script import MOST_LINES, TooLongError, command, script
from accumcheck.reproduce.scripts.registry import SET_BY_SCRIPT, STACKS, TEXT_STACKS
from tests.reproduce.subjects import HEADING, case, text_case

LONG = "a summary of many words, " * 40


def imported(text: str) -> set[str]:
    tree = ast.parse(text)
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("split", ["1x1x2", "2x2x2"])
def test_a_script_is_short_python_that_imports_torch_and_the_stack(stack: str, split: str) -> None:
    made = text_case(stack, split) if stack in TEXT_STACKS else case(split, stack=stack)
    text = script(made, Heading(LONG, ("transformers 5.24.0", "torch 2.13.0"), source="a.py:1", known="https://a.b/c"))
    assert text.count("\n") <= MOST_LINES < 80
    trl = {"trl", "datasets", "tokenizers"}
    own = {"trainer": set(), "accelerate": {"accelerate"}, "trl-sft": trl, "trl-dpo": {*trl, "copy"}, "trl-reward": trl}
    own |= {"sentence-transformers": {"sentence_transformers", "datasets", "tokenizers"}}
    assert imported(text) == {"os", "sys", "tempfile", "traceback", "torch", "transformers"} | own[stack]
    assert "accumcheck" not in text


def test_a_summary_that_does_not_fit_ends_with_a_whole_part() -> None:
    first = "Bert, trained by Trainer, follows the weighting token-mean*k: loss 2.00, 4.00 times the reference's"
    numbers = "; gradient norm " + ", ".join(["2.00"] * 200) + " times the reference's"
    text = script(case(), Heading(first + numbers, ("transformers 5.24.0",)))
    assert text.startswith(f'"""{first}.\n\nSeen with')
    assert script(case(), Heading(first, ("transformers 5.24.0",))).startswith(f'"""{first}\n\n')


def test_a_summary_without_parts_says_that_it_goes_on() -> None:
    text = script(case(), Heading("word " * 200, ("transformers 5.24.0",)))
    summary = text.removeprefix('"""').partition("\n\n")[0]
    assert summary.endswith("word ...")
    assert max(map(len, summary.splitlines())) <= 118
    assert len(summary.splitlines()) == 4


def test_the_head_says_how_it_is_run() -> None:
    assert "python repro.py" in script(case("1x1x2"), HEADING)
    assert "torchrun --nproc_per_node 2 repro.py" in script(case("2x1x1"), HEADING)
    assert command(2, "x.py") == "torchrun --nproc_per_node 2 x.py"


def test_split_and_arguments_are_those_of_the_case() -> None:
    text = script(case("2x4x1", arguments={"label_smoothing_factor": 0.1}), HEADING)
    assert "B, K, N = 4, 1, 2" in text
    assert "label_smoothing_factor=0.1," in text


def test_what_the_script_sets_itself_is_known() -> None:
    assert {"max_grad_norm", "use_cpu", "report_to", "max_steps", "output_dir"} <= SET_BY_SCRIPT
    assert not {"bf16", "label_smoothing_factor"} & SET_BY_SCRIPT


def test_a_long_script_is_refused() -> None:
    made = case("1x4x4")
    row = {"input_ids": Field(list(range(400)))}
    with pytest.raises(TooLongError, match=f"more than {MOST_LINES}"):
        script(replace(made, subject=replace(made.subject, rows=(row,) * 16)), HEADING)


@pytest.mark.parametrize("name", ["bf16=1);import os;os.system('id')#", "lambda", "a b"])
def test_the_name_of_an_argument_cannot_be_code(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of an argument"):
        script(case(arguments={name: 1}), HEADING)


def test_no_text_of_a_report_ends_the_docstring() -> None:
    code = '""" + __import__("os").system("id") + """\\"""\r\n'
    text = script(case(), Heading(code, (code,), source=code, known=code))
    first, *others = ast.parse(text).body
    assert isinstance(first, ast.Expr)
    assert isinstance(first.value, ast.Constant)
    assert isinstance(others[0], ast.Import)
    assert imported(text) == imported(script(case(), HEADING))


def test_keys_and_values_of_the_model_are_literals() -> None:
    code = '": __import__("os").system("id"), "'
    made = case()
    text = script(replace(made, subject=replace(made.subject, config={code: code})), HEADING)
    values = [node.value for node in ast.parse(text).body if isinstance(node, ast.Assign) and _name(node) == "CONFIG"]
    assert [ast.literal_eval(value) for value in values] == [{code: code}]


def _name(node: ast.Assign) -> str:
    return node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""


@pytest.mark.parametrize(
    ("counts", "labels", "right"),
    [("shifted", [-100, 3, 4], 2), ("shifted", [9, -100, 4], 1), ("tokens", [9, -100, 4], 2), ("rows", 1, 1)],
)
def test_a_row_counts_as_many_tokens_as_its_loss_is_a_mean_of(counts: str, labels: object, right: int) -> None:
    made = case()
    text = script(replace(made, subject=replace(made.subject, counts=counts)), HEADING)  # type: ignore[arg-type]
    (count,) = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == "count"]
    space: dict[str, object] = {}
    exec(compile(ast.Module([count], []), "count", "exec"), space)  # the function as the script has it
    assert space["count"]({"labels": labels}) == right  # type: ignore[operator]
