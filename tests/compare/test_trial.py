"""One release tried: kept, skipped, or a reason to stop. The index is a real one on this machine, the check is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from accumcheck.compare import trial as trial_module
from accumcheck.compare.history import History
from accumcheck.compare.subjects import Releases
from accumcheck.compare.trial import Trial, why_undecided
from accumcheck.compare.upgrade import Planned
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.environments import Pin
from accumcheck.errors import ConfigError, LaunchError
from accumcheck.record import ConfigFile, Report, Split
from tests.environments.conftest import local_index
from tests.environments.local_index import LocalIndex
from tests.report import examples

__all__ = ["local_index"]

CHECK = CheckConfig(model=ModelConfig(config={"model_type": "llama"}), global_batch_size=4, splits=(Split(1, 4, 1),))
PLANNED = Planned(CHECK, ConfigFile("check.yaml"))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The interpreters that checks were run with; every check passes."""
    pythons: list[str] = []

    def run_check(check: CheckConfig, *, on_event: Callable[..., None], python: str) -> Report:
        pythons.append(python)
        return examples.clean()

    monkeypatch.setattr(trial_module, "run_check", run_check)
    return pythons


def trial(*others: Pin) -> Trial:
    history = History(CHECK, [str(pin) for pin in others], fresh=False)
    return Trial(
        PLANNED,
        Releases("transformers", ("4.48.3", "5.0.0"), others),
        history,
        say=lambda _: None,
        on_event=lambda _: None,
    )


def test_a_release_is_built_and_run_once_and_then_found(local_index: LocalIndex, ran: list[str]) -> None:
    first = trial()("4.49.0")
    assert first.report is not None
    assert (first.report.verdict, first.report.config_file, first.kept) == ("pass", PLANNED.file, False)
    again = trial()("4.49.0")
    assert (again.report, again.kept) == (first.report, True)
    (python,) = ran
    assert "transformers-4.49.0" in python


def test_a_release_that_cannot_be_imported_is_skipped_with_the_reason(local_index: LocalIndex, ran: list[str]) -> None:
    found = trial()("4.50.1.post1")
    assert found.report is None
    assert "cannot be imported with torch" in found.reason
    assert ran == []


def test_releases_that_do_not_go_together_are_skipped(local_index: LocalIndex, ran: list[str]) -> None:
    found = trial(Pin("accelerate", "1.5.0"))("4.50.1")  # which wants accelerate below 1.4
    assert found.report is None
    assert "these releases conflict" in found.reason


def test_a_release_is_not_skipped_because_the_network_is_gone(
    local_index: LocalIndex, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    with pytest.raises(LaunchError, match="the package index could not be reached"):
        trial()("4.49.0")


def test_an_end_that_does_not_exist_is_told_before_anything_runs(local_index: LocalIndex, ran: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"nearest: 4\.49\.0 and 4\.50\.1"):
        trial().prepare(["4.48.3", "4.49.7"])
    assert ran == []


def test_a_check_that_cannot_be_started_under_a_release_is_skipped(
    local_index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_check(*_: object, **__: object) -> Report:
        raise LaunchError("the run could not be started: no such head")

    monkeypatch.setattr(trial_module, "run_check", run_check)
    found = trial()("4.49.0")
    assert (found.report, found.reason) == (None, "the run could not be started: no such head")


def test_a_release_that_ran_undecided_says_why_and_is_tried_again(
    local_index: LocalIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trial_module, "run_check", lambda *_, **__: examples.undecided())
    found = trial()("4.49.0")
    assert found.reason == "process 2 ended with exit code 1: OutOfMemoryError: CUDA out of memory"
    assert not trial()("4.49.0").kept


def test_what_was_decided_needs_no_reason() -> None:
    assert why_undecided(examples.clean()) == why_undecided(examples.llava_449()) == ""
