"""``accumcheck launch``: from a configuration to a file, or to a message that says what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from accumcheck.cli import main

TEXT = "model: {config: {model_type: llama}}\nglobal_batch_size: 16\nsplits: [16x1x1, 1x16x1]\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "check.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_batch_script_for_the_widest_split(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "slurm", "check.yaml", "--set", "steps=1", "--report", "report.json"]) == 0
    said = capsys.readouterr().out
    assert "#SBATCH --nodes=2\n" in said
    assert "#SBATCH --gpus-per-node=8\n" in said
    assert f"accumcheck run {config} --set steps=1 --output {config.parent}/report.json --set " in said


def test_it_can_be_written_to_a_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["launch", "kubernetes", "check.yaml", "--image", "me/it:1", "--gpus-per-node", "4", "-o", "job.yaml"]
    assert main([*words, "--name", "mine"]) == 0
    assert capsys.readouterr().out == ""
    mounted, job = yaml.safe_load_all((config.parent / "job.yaml").read_text(encoding="utf-8"))
    assert mounted["data"]["check.yaml"] == TEXT
    assert job["metadata"]["name"] == "mine"
    assert job["spec"]["pytorchReplicaSpecs"]["Worker"]["replicas"] == 3


def test_files_that_a_container_would_lack_are_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "rows.jsonl").write_text("{}\n", encoding="utf-8")
    config.write_text(f"{TEXT}data: {{jsonl: rows.jsonl}}\n", encoding="utf-8")
    words = ["launch", "kubernetes", "check.yaml", "--image", "me/it:1"]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        f"check.yaml: names files of this machine, which a container does not have: {config.parent}/rows.jsonl; "
        "put them and the configuration into the image, or on a volume, and give --config-path\n"
    )
    assert main([*words, "--config-path", "/data/check.yaml"]) == 0
    assert "/data/check.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "launcher.nnodes=3"], "16 processes cannot be distributed"),
        (["-o", "."], ".: is a folder; name a file in it"),
        (["-o", "missing/job.sbatch"], "does not exist; create it first"),
        (["-o", "check.yaml"], "--output check.yaml: is the configuration, which would be replaced; name another file"),
        (["--name", "No Name"], "--name No Name: expected at most 40 small letters"),
        (["--report", "report.pdf"], "report.pdf"),
        (["--set", "splits=auto"], "splits: found auto, which depends on the machines"),
    ],
)
def test_what_cannot_be_is_a_usage_error(
    config: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["launch", "slurm", "check.yaml", *words]) == 2
    ended = capsys.readouterr()
    assert ended.out == ""
    assert message in ended.err


def test_splits_that_fit_no_number_of_machines_are_said_at_their_line(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(TEXT + "launcher: {nnodes: 3, rdzv_endpoint: 'a:1'}\n", encoding="utf-8")
    assert main(["launch", "slurm", "check.yaml"]) == 2
    assert capsys.readouterr().err.startswith("check.yaml:3: splits: 16x1x1 on 3 machines of 8: ")


def test_the_machines_need_no_endpoint_in_the_configuration(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "slurm", "check.yaml", "--set", "launcher.nnodes=4"]) == 0
    assert "#SBATCH --nodes=4\n" in capsys.readouterr().out
    assert main(["launch", "slurm", "check.yaml", "--set", "launcher.rdzv_endpoint=here"]) == 2
    assert "found 'here' (text); expected host:port" in capsys.readouterr().err


def test_everything_that_a_cluster_would_refuse_is_said_at_once(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["launch", "kubernetes", "check.yaml", "--image", "my image", "--namespace", "Us"]
    assert main([*words, "--config-path", "check.yaml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "--image 'my image'",
        "--namespace 'Us'",
        "--config-path 'check.yaml'",
    ]
