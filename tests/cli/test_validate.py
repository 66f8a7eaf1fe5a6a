"""``accumcheck validate``: prints the plan at once, for people and for programs."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from accumcheck.cli.validate import validate
from accumcheck.config.load import load_config
from accumcheck.errors import ConfigError

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(validate)


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")


def output_of(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
        model: {config: {model_type: llama, name: 1e-3, note: '1e-3', pad_token_id: null}, torch_dtype: bf16}
        global_batch_size: 128
        splits: [4x16x2, 8x1x16, 4x1x32]
        tolerances: {loss: 1e-3}
        """
    (tmp_path / "check.yaml").write_text(textwrap.dedent(text))
    monkeypatch.chdir(tmp_path)
    assert output_of("check.yaml", "--set", "steps=1") == textwrap.dedent(
        """\
        # check.yaml is valid
        # 3 splits, 1 step of 128 samples, control 4x16x2
        # devices assumed: 4 cuda (CUDA_VISIBLE_DEVICES=0,1,2,3)
        #
        # split   n   b   k  samples
        # 4x16x2  4  16   2      128  control
        # 8x1x16  8   1  16      128  needs 8 GPUs
        # 4x1x32  4   1  32      128
        #
        # what runs at the same time (each line starts once its devices are free):
        # 1. 4x16x2 on GPUs 0-3
        # 2. reference on GPU 0
        # 3. 4x1x32 on GPUs 0-3
        #
        model:
          config: {model_type: llama, name: 0.001, note: '1e-3', pad_token_id: null}
          shrink: false
          weights: random
          dtype: bfloat16
          trust_remote_code: false
        global_batch_size: 128
        splits: [4x16x2, 8x1x16, 4x1x32]
        data:
          synthetic:
            min_length: 8
            max_length: 64
            prompt_fraction: [0.0, 0.5]
            images_per_sample: 1
            lengths: varied
          max_length: 1024
        steps: 1
        trajectory_steps: 0
        stack: trainer
        training_arguments: {}
        tolerances: {loss: 0.001, grad_norm: auto, gradient: auto}
        severity: {}
        update: auto
        expect: []
        launcher: {device: auto, oversubscribe: false, timeout: 600.0,
          nnodes: 1, node_rank: 0, single_process: python}
        seed: 0
        """
    )


def test_processes_that_share_gpus_are_named() -> None:
    table = output_of(str(QUICKSTART), "--set", "splits=[8x1x1]", "--set", "launcher.oversubscribe=true")
    assert "# 8x1x1  8  1  1        8  control, processes share GPUs\n" in table


def test_the_table_is_itself_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "canonical.yaml").write_text(output_of(str(QUICKSTART)))
    assert load_config(tmp_path / "canonical.yaml") == load_config(QUICKSTART)


def test_the_table_fits_80_columns_and_is_plain() -> None:
    lines = output_of(str(QUICKSTART.relative_to(Path.cwd()) if QUICKSTART.is_relative_to(Path.cwd()) else QUICKSTART))
    assert lines.isascii()
    assert "\x1b" not in lines
    assert max(len(line) for line in lines.splitlines()[1:]) <= 80


def test_json() -> None:
    plan = json.loads(output_of(str(QUICKSTART), "--format", "json", "--set", "splits=auto"))
    assert plan["config"]["splits"] == ["1x8x1", "1x2x4", "1x1x8", "4x2x1", "4x1x2", "2x2x2"]
    assert plan["config"]["model"]["config"]["hidden_size"] == 32
    assert plan["plan"]["control"] == "1x8x1"
    assert plan["plan"]["devices"] == {"kind": "cuda", "count": 4, "reason": "CUDA_VISIBLE_DEVICES=0,1,2,3"}
    jobs = [[(one["job"], one["devices"]) for one in jobs] for jobs in plan["plan"]["rounds"]]
    assert jobs == [
        [("1x8x1", [0]), ("1x1x8", [1]), ("1x2x4", [2])],  # 2x2x2 is next, and needs two
        [("reference", [0]), ("2x2x2", [1, 2])],
        [("4x1x2", [0, 1, 2, 3])],
        [("4x2x1", [0, 1, 2, 3])],
    ]
    assert plan["plan"]["splits"][3] == {
        "split": "4x2x1",
        "num_processes": 4,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "samples_per_step": 8,
        "is_control": False,
    }


def test_errors_are_left_to_the_program() -> None:
    with pytest.raises(ConfigError, match=r"--set steps=0: steps: found 0; expected a whole number from 1 to 100000"):
        output_of(str(QUICKSTART), "--set", "steps=0")


def test_it_needs_no_torch() -> None:
    code = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from accumcheck.cli.validate import PlanFormat, validate
        from accumcheck.cli.schema import config
        validate(Path({str(QUICKSTART)!r}), ["splits=auto"], PlanFormat.TABLE)
        config()
        heavy = {{"torch", "transformers", "accelerate", "numpy", "datasets"}} & set(sys.modules)
        assert not heavy, heavy
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)


def test_a_script_that_nothing_tells_the_split_of_is_a_warning_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("import torch\n", encoding="utf-8")
    text = "global_batch_size: 8\nsplits: [1x8x1, 1x2x4]\nstack: script\nscript: {path: train.py}\n"
    Path("check.yaml").write_text(text, encoding="utf-8")
    warned = CliRunner().invoke(app, ["check.yaml"], catch_exceptions=False)
    assert warned.exit_code == 0
    assert warned.stderr.startswith("check.yaml:4: script: warning: nothing seems to tell train.py which split")
    told = CliRunner().invoke(app, ["check.yaml", "--set", "script.arguments=['{b}', '{k}']"], catch_exceptions=False)
    assert (told.exit_code, told.stderr) == (0, "")


def test_files_of_a_scripts_command_line_that_are_nowhere_are_a_warning_with_both_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "train.py").write_text("from transformers import TrainingArguments\n", encoding="utf-8")
    (tmp_path / "there.json").write_text("", encoding="utf-8")
    path = tmp_path / "checks" / "check.yaml"
    words = "[--data, there.json, --more=gone.jsonl, --out, saves, '{k}.txt']"
    text = f"stack: script\nscript:\n  path: ../train.py\n  arguments: {words}\nglobal_batch_size: 8\nsplits: auto\n"
    path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["checks/check.yaml"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stderr == (
        "checks/check.yaml:4: script.arguments: warning: there is no gone.jsonl in the working directory "
        f"{tmp_path}, nor in {tmp_path / 'checks'}; write the path as seen from one of these\n"
    )
