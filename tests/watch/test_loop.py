"""What the loop does between two checks; the checks themselves are in tests/e2e/test_watch.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.errors import AccumcheckError
from accumcheck.record import Report
from accumcheck.runfolder.events import OnEvent
from accumcheck.runfolder.imported import Imported
from accumcheck.watch.loop import Imports, Watcher

TEXT = "model: {config: {model_type: llama}}\nglobal_batch_size: 8\nsplits: [1x8x1, 1x2x4]\n"


@dataclass
class Heard:
    """Keeps what the loop says."""

    said: list[str] = field(default_factory=list)

    @contextmanager
    def running(self, check: CheckConfig, *, imports: bool) -> Iterator[OnEvent]:
        yield lambda _: None

    def report(self, report: Report) -> None:
        self.said.append(report.verdict)

    def failed(self, error: AccumcheckError) -> None:
        self.said.append(str(error))

    def waiting(self) -> None:
        self.said.append("waiting")

    def changed(self, files: list[Path]) -> None:
        self.said.append(" ".join(file.name for file in files))

    def dropped(self, files: list[Path]) -> None:
        self.said.append("dropped " + " ".join(file.name for file in files))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "check.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def watcher(config: Path, edits: list[Callable[[], object]]) -> Watcher:
    """One that waits for changes; each time that it sleeps, the next edit is made."""

    def sleep(_: float) -> None:
        if edits:
            edits.pop(0)()

    made = Watcher(config, lambda: load_config(config), Heard(), python="", sleep=sleep)
    made.files.add([config])
    return made


def write(path: Path, text: str) -> Callable[[], object]:
    return lambda: path.write_text(text, encoding="utf-8")


def said(one: Watcher) -> list[str]:
    assert isinstance(one.screen, Heard)
    return one.screen.said


def test_it_waits_until_no_more_is_written(config: Path) -> None:
    other = config.with_name("rows.jsonl")
    edits = [write(config, ""), write(other, "{}"), write(config, TEXT.replace("8x1", "4x2"))]
    one = watcher(config, edits)
    one.files.add([other])
    files, check = one.wait_for_check()
    assert files == [config, other]
    assert [str(split) for split in check.splits or ()] == ["1x4x2", "1x2x4"]
    assert said(one) == ["waiting", "check.yaml rows.jsonl"]


def test_a_configuration_that_is_broken_is_shown_and_waited_for(config: Path) -> None:
    def nothing() -> None:
        """So much time passes that the change before counts."""

    one = watcher(config, [write(config, TEXT.replace("1x2x4", "1x3x4")), nothing, write(config, TEXT)])
    files, _ = one.wait_for_check()
    assert files == [config, config]
    waiting, name, message, *rest = said(one)
    assert (waiting, name, rest) == ("waiting", "check.yaml", ["waiting", "check.yaml"])
    assert message.startswith(f"{config}:3: splits[1]: ")
    assert "1 x 3 x 4 = 12, but global_batch_size is 8" in message


def test_data_that_each_check_writes_is_dropped_and_code_is_not(config: Path) -> None:
    log, code = config.with_name("log.txt"), config.with_name("losses.py")
    one = watcher(config, [])
    one.files.add([log, code])
    for number in range(3):
        write(log, str(number))()
        write(code, str(number))()
        one.drop_written()
    assert said(one) == ["dropped log.txt"]
    files, _ = one.wait_for_check()
    assert files == [code]


def test_a_folder_that_each_check_puts_another_file_into_is_dropped(config: Path) -> None:
    logs = config.with_name("logs")
    logs.mkdir()
    write(logs / "kept.txt", "0")()
    one = watcher(config, [write(logs / "2.txt", ""), write(logs / "losses.py", "")])
    one.files.add([logs])
    write(logs / "0.txt", "")()
    one.drop_written()
    assert said(one) == []  # it may have been the user
    write(logs / "1.txt", "")()
    one.drop_written()
    assert said(one) == ["dropped logs"]
    files, _ = one.wait_for_check()
    assert files == [logs / "losses.py"]


def test_another_stack_model_or_preloaded_file_needs_another_launch(config: Path) -> None:
    check = load_config(config)
    imports = Imports.of(check)
    edited = Path("/home/me/transformers/trainer.py")
    nothing = Imported((), ())
    assert not imports.are_stale(replace(check, steps=1), nothing, [config])
    assert not imports.are_stale(check, Imported((str(edited),), ()), [edited])
    assert imports.are_stale(check, Imported((str(edited),), (str(edited),)), [edited])
    assert imports.are_stale(replace(check, stack="accelerate"), nothing, [])
    other = replace(check, model=replace(check.model, config={"model_type": "gpt2"}))
    assert imports.are_stale(other, nothing, [])


def test_another_package_needs_another_launch(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "site-packages"
    (packages / "trl-1.0.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(packages)
    check = load_config(config)
    imports = Imports.of(check)
    assert not imports.are_stale(check, Imported(), [])
    (packages / "trl-1.0.0.dist-info").rename(packages / "trl-1.1.0.dist-info")
    assert imports.are_stale(check, Imported(), [])
