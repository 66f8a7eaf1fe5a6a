"""What is kept of a search, and whose it is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from accumcheck.compare.history import History
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.errors import ConfigError
from accumcheck.record import Split
from tests.report import examples

CHECK = CheckConfig(model=ModelConfig(config={"model_type": "llama"}), global_batch_size=4, splits=(Split(1, 4, 1),))


def history(folder: Path, check: CheckConfig = CHECK, others: tuple[str, ...] = (), *, fresh: bool = False) -> History:
    return History(check, others, fresh=fresh, folder=folder)


def test_what_was_decided_is_found_again(tmp_path: Path) -> None:
    history(tmp_path).keep("4.49.0", examples.llava_449())
    assert history(tmp_path).find("4.49.0") == examples.llava_449()
    assert history(tmp_path).find("4.48.3") is None


def test_what_was_not_decided_is_tried_again(tmp_path: Path) -> None:
    history(tmp_path).keep("4.49.0", examples.undecided())
    assert history(tmp_path).find("4.49.0") is None


def test_a_fresh_search_ignores_what_was_kept_and_keeps_anew(tmp_path: Path) -> None:
    history(tmp_path).keep("4.49.0", examples.llava_449())
    fresh = history(tmp_path, fresh=True)
    assert fresh.find("4.49.0") is None
    fresh.keep("4.49.0", examples.clean())
    assert history(tmp_path).find("4.49.0") == examples.clean()


def test_another_configuration_or_other_releases_share_nothing(tmp_path: Path) -> None:
    history(tmp_path).keep("4.49.0", examples.llava_449())
    assert history(tmp_path, replace(CHECK, seed=1)).find("4.49.0") is None
    assert history(tmp_path, others=("accelerate==1.4.0",)).find("4.49.0") is None


def test_a_model_folder_that_changed_is_another_check(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    check = replace(CHECK, model=ModelConfig(name_or_path=str(model)))
    history(tmp_path / "kept", check).keep("4.49.0", examples.clean())
    assert history(tmp_path / "kept", check).find("4.49.0") is not None
    os.utime(model / "config.json", (1, 1))
    assert history(tmp_path / "kept", check).find("4.49.0") is None


def test_a_program_that_changed_is_another_check(tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text("def build_trainer(): ...")
    check = replace(CHECK, stack="callable", callable=f"{program}:build_trainer")
    history(tmp_path / "kept", check).keep("4.49.0", examples.clean())
    assert history(tmp_path / "kept", check).find("4.49.0") is not None
    program.write_text("def build_trainer(): return 1")
    assert history(tmp_path / "kept", check).find("4.49.0") is None


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    kept = history(tmp_path)
    kept.keep("4.49.0", examples.clean())
    (kept.folder / "4.49.0.json").write_text('{"schema_version": "1.0", ')
    assert kept.find("4.49.0") is None


def test_a_kept_report_that_contradicts_itself_counts_as_none(tmp_path: Path) -> None:
    kept = history(tmp_path)
    kept.keep("4.49.0", replace(examples.llava_449(), verdict="pass", exit_code=0))
    assert (kept.folder / "4.49.0.json").exists()
    assert kept.find("4.49.0") is None


def test_it_stands_in_the_cache_beside_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path))
    assert History(CHECK, (), fresh=False).folder.parent == tmp_path / "bisect"


def test_a_report_that_others_could_have_written_is_refused(tmp_path: Path) -> None:
    kept = history(tmp_path)
    kept.keep("4.49.0", examples.clean())
    report = kept.folder / "4.49.0.json"
    assert (report.stat().st_mode & 0o777, kept.folder.stat().st_mode & 0o777) == (0o600, 0o700)
    report.chmod(0o646)
    with pytest.raises(ConfigError, match=r"4\.49\.0\.json: others can write to it"):
        kept.find("4.49.0")
    kept.folder.chmod(0o777)
    with pytest.raises(ConfigError, match="others can write to it"):
        history(tmp_path)
