"""sentence-transformers: a mean over pairs is the same in every split, a loss that compares pairs is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from accumcheck.capture.patches import Patches
from accumcheck.check import run_checks
from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.errors import ConfigError, WorkloadError
from accumcheck.record import Report, Split
from accumcheck.stacks.programs.handover import Handover
from accumcheck.stacks.programs.start import is_installed
from accumcheck.stacks.sentence_transformers import SPEC, SentenceTransformersConfig
from tests.e2e.program import make_tiny

CONFIGS = Path(__file__).parents[2] / "configs"
needs_package = pytest.mark.skipif(
    not is_installed("sentence_transformers"), reason="pip install sentence-transformers"
)


def check(folder: Path, loss: str = "CosineSimilarityLoss", rows: str = '{"a": "x", "b": "y"}\n') -> CheckConfig:
    (folder / "pairs.jsonl").write_text(rows, encoding="utf-8")
    (folder / "embedder").mkdir(exist_ok=True)
    section = {"model": "./embedder", "train": "pairs.jsonl", "loss": loss}
    text = {"stack": SPEC.name, "sentence_transformers": section, "global_batch_size": 4, "splits": ["1x4x1"]}
    (folder / "check.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    return load_config(folder / "check.yaml")


def start(made: CheckConfig) -> None:
    SPEC.start(made, Handover(Split(1, 4, 1), 1, Patches(())))


def test_model_and_data_are_found_from_where_the_file_is(tmp_path: Path) -> None:
    made = check(tmp_path)
    assert made.own(SentenceTransformersConfig) == SentenceTransformersConfig(
        str(tmp_path / "embedder"), str(tmp_path / "pairs.jsonl"), "CosineSimilarityLoss", None
    )
    assert CheckConfig.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert SPEC.title(made) == "SentenceTransformerTrainer with CosineSimilarityLoss"
    assert made.runs_program


def test_every_error_of_the_section_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text(
        "stack: sentence-transformers\n"
        "sentence_transformers:\n"
        "  model: org/embedder\n"
        "  train: pairs.csv\n"
        "  losses: CosineSimilarityLoss\n"
        "global_batch_size: 4\n"
        "splits: [1x4x1]\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "check.yaml")
    said = str(raised.value).replace(f"{tmp_path}/", "")
    for line in (
        "check.yaml:4: sentence_transformers.train: found 'pairs.csv' (text); expected the path of a JSON Lines file",
        "check.yaml:5: sentence_transformers.losses: unknown key",
        "sentence_transformers.loss: missing; add for example loss: CosineSimilarityLoss",
    ):
        assert line in said


def test_the_stack_needs_its_section_and_no_other_stack_has_it(tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text(
        "stack: sentence-transformers\nglobal_batch_size: 4\nsplits: [1x4x1]\n", encoding="utf-8"
    )
    with pytest.raises(
        ConfigError, match=r"stack: needs sentence_transformers; add for example sentence_transformers: "
    ):
        load_config(tmp_path / "check.yaml")


def test_a_model_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    check(tmp_path)
    (tmp_path / "embedder").rmdir()
    with pytest.raises(ConfigError, match=r"check\.yaml:\d+: sentence_transformers\.model: there is no directory "):
        load_config(tmp_path / "check.yaml")


def test_without_the_package_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = check(tmp_path)
    monkeypatch.setattr("accumcheck.stacks.programs.start.is_installed", lambda module: False)
    with pytest.raises(WorkloadError, match="accumcheck run CONFIG --with sentence-transformers==VERSION"):
        start(made)


@needs_package
def test_a_file_without_a_row_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=r"pairs\.jsonl has no rows; expected one JSON object per line"):
        start(check(tmp_path, rows="\n"))


@needs_package
def test_an_unknown_loss_is_told_with_the_nearest(tmp_path: Path) -> None:
    from accumcheck.stacks import sentence_transformers

    with pytest.raises(WorkloadError) as raised:
        sentence_transformers.find_loss("CosinSimilarityLoss")
    assert "no loss CosinSimilarityLoss; did you mean CosineSimilarityLoss?" in str(raised.value)
    assert sentence_transformers.find_loss("MultipleNegativesRankingLoss").__name__ == "MultipleNegativesRankingLoss"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's, with the example and what it trains."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "configs").symlink_to(CONFIGS)
    make_tiny(folder)
    text = (CONFIGS / "sentence-transformers.yaml").read_text(encoding="utf-8").replace("../tiny", "./tiny")
    (folder / "check.yaml").write_text(text, encoding="utf-8")
    return folder


LOSSES = ("CosineSimilarityLoss", "MultipleNegativesRankingLoss")


@pytest.fixture(scope="module")
def runs(made: Path) -> Iterator[dict[str, Report]]:
    """The example with each loss, in one launch."""
    asked = {"global_batch_size": 8, "steps": 1, "splits": ["1x8x1", "1x2x4", "2x4x1", "1x1x8"]}
    options = [f"{name}={json.dumps(value)}" for name, value in asked.items()] + ["launcher.device=cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        patch.setenv("HF_HUB_OFFLINE", "1")
        checks = [load_config(made / "check.yaml", [*options, f"sentence_transformers.loss={loss}"]) for loss in LOSSES]
        yield dict(zip(LOSSES, run_checks(checks), strict=True))


@pytest.mark.e2e
@needs_package
def test_a_loss_that_is_a_mean_over_pairs_is_the_same_in_every_split(runs: dict[str, Report]) -> None:
    report = runs["CosineSimilarityLoss"]
    assert report.exit_code == 0, report.findings
    assert (report.verdict, report.findings) == ("pass", ())
    assert (report.loss_rule, report.gradient_rule) == ("token-mean", "token-mean")
    assert (report.reference[0].samples, report.reference[0].tokens) == (8, 8)  # a pair is a prediction
    assert report.environment.stack_version


@pytest.mark.e2e
@needs_package
def test_a_loss_that_compares_pairs_depends_on_the_micro_batch_and_not_on_the_stack(runs: dict[str, Report]) -> None:
    report = runs["MultipleNegativesRankingLoss"]
    assert (report.exit_code, report.verdict) == (0, "warn")
    (finding,) = [one for one in report.findings if one.id == "batch-dependent-model"]
    assert finding.summary.startswith("MultipleNegativesRankingLoss (sentence_transformers/")
    assert {one.severity for one in report.findings} == {"warn"}
    verdicts = {str(split.split): split.verdict for split in report.splits}
    assert verdicts == {"1x8x1": "pass", "1x2x4": "warn", "2x4x1": "warn", "1x1x8": "warn"}
    alone = next(split for split in report.splits if str(split.split) == "1x1x8")
    # alone, a pair has nothing to be told from: the logarithm of 1
    assert alone.steps[0].loss == pytest.approx(0, abs=1e-6)
