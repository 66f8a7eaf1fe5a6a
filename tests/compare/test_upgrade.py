"""Checks under two releases, as far as no release is needed for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from accumcheck.compare import upgrade
from accumcheck.compare.upgrade import Names, Planned, Side, run_upgrade
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.environments import Pin, Request
from accumcheck.errors import LaunchError
from accumcheck.record import ConfigFile, Environment, Report, Split
from accumcheck.runfolder import events
from accumcheck.runfolder.events import OnEvent
from tests.report import examples

CHECK = CheckConfig(model=ModelConfig(config={"model_type": "llama"}), global_batch_size=4, splits=(Split(1, 4, 1),))
PIN = Pin("transformers", "5.23.0")
OLD = Side({}, None)
NEW = Side({"transformers": PIN}, Request((PIN,)))
NAMES = Names("transformers", "4.57.6", "5.23.0")


def planned(*names: str) -> list[Planned]:
    return [Planned(replace(CHECK, seed=seed), ConfigFile(name)) for seed, name in enumerate(names)]


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Report]]:
    """What checks come to, by interpreter; filled by the test."""
    found: dict[str, list[Report]] = {}

    @contextmanager
    def environments(requests: Sequence[Request | None], *, say: Callable[[str], None]) -> Iterator[list[str]]:
        yield ["here" if request is None else request.pins[0].version for request in requests]

    def run_checks(
        checks: Sequence[CheckConfig],
        *,
        on_event: OnEvent,
        allow_skipped: bool,
        strict: bool,
        python: str,
    ) -> Iterator[Report]:
        if allow_skipped:
            found[python] = [replace(report, exit_code=0) for report in found[python]]
        for _, report in zip(checks, found[python], strict=True):
            on_event(events.Planned((), Split(1, 1, 1), Environment()))
            yield report

    monkeypatch.setattr(upgrade, "environments", environments)
    monkeypatch.setattr(upgrade, "run_checks", run_checks)
    return found


def test_every_check_is_run_under_both_and_the_worst_counts(reports: dict[str, list[Report]]) -> None:
    reports["here"] = [examples.clean(), examples.clean(), examples.clean()]
    reports["5.23.0"] = [examples.clean(), examples.llava_449(), examples.undecided()]
    said: list[str] = []
    seeds: list[int] = []
    found = run_upgrade(
        planned("a.yaml", "b.yaml", "c.yaml"),
        OLD,
        NEW,
        NAMES,
        allow_drift=False,
        say=said.append,
        on_event=lambda check, _: seeds.append(check.seed),
    )
    assert [(pair.config, pair.exit_code) for pair in found.pairs] == [("a.yaml", 0), ("b.yaml", 1), ("c.yaml", 3)]
    assert (found.exit_code, found.old, found.new, found.gate) == (1, "4.57.6", "5.23.0", True)
    assert [pair.new.config_file for pair in found.pairs] == [
        ConfigFile(name) for name in ("a.yaml", "b.yaml", "c.yaml")
    ]
    assert seeds == [0, 1, 2, 0, 1, 2]  # each event comes with the check it is of
    assert said == [
        "transformers 4.57.6: importing torch and transformers",
        "a.yaml under transformers 4.57.6",
        "b.yaml under transformers 4.57.6",
        "c.yaml under transformers 4.57.6",
        "transformers 5.23.0: importing torch and transformers",
        "a.yaml under transformers 5.23.0",
        "b.yaml under transformers 5.23.0",
        "c.yaml under transformers 5.23.0",
    ]


@pytest.mark.parametrize(("allowed", "code"), [(False, 3), (True, 0)])
def test_splits_that_are_skipped_may_be_allowed(allowed: bool, code: int, reports: dict[str, list[Report]]) -> None:
    reports["here"], reports["5.23.0"] = [examples.clean()], [examples.undecided()]
    found = run_upgrade(
        planned("a.yaml"),
        OLD,
        NEW,
        NAMES,
        allow_drift=False,
        allow_skipped=allowed,
        say=lambda _: None,
        on_event=lambda *_: None,
    )
    assert found.exit_code == code


def test_a_release_under_which_nothing_starts_is_named(
    reports: dict[str, list[Report]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_checks(*_: object, **__: object) -> Iterator[Report]:
        raise LaunchError("the run could not be started: no torch")

    monkeypatch.setattr(upgrade, "run_checks", run_checks)
    with pytest.raises(LaunchError, match=r"under transformers 4\.57\.6: the run could not be started: no torch"):
        run_upgrade(planned("a.yaml"), OLD, NEW, NAMES, allow_drift=False, say=lambda _: None, on_event=lambda *_: None)


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 1)])
def test_what_fails_on_both_sides_fails_the_gate_only_when_strict(
    strict: bool, code: int, reports: dict[str, list[Report]]
) -> None:
    reports["here"] = reports["5.23.0"] = [examples.llava_449()]
    found = run_upgrade(
        planned("a.yaml"),
        OLD,
        NEW,
        NAMES,
        allow_drift=False,
        strict=strict,
        say=lambda _: None,
        on_event=lambda *_: None,
    )
    assert (found.exit_code, found.strict) == (code, strict)


def test_sides_that_differ_in_several_packages_are_called_by_all_of_them() -> None:
    one = Names.of([("trl", "1.15.0", "1.16.0")])
    assert (one.package, one.old, one.new, one.side(one.new)) == ("trl", "1.15.0", "1.16.0", "trl 1.16.0")
    two = Names.of([("trl", "1.15.0", "1.16.0"), ("peft", "0.17.0", "0.18.0")])
    assert (two.package, two.old) == ("", "trl 1.15.0, peft 0.17.0")
    assert two.side(two.new) == "trl 1.16.0, peft 0.18.0"
