"""The loop: run, wait for a change, run again; a new launch only where what is imported has changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from accumcheck.config.model import CheckConfig
from accumcheck.config.named_files import named_files
from accumcheck.errors import AccumcheckError, LaunchError
from accumcheck.record import Report
from accumcheck.runfolder.events import OnEvent
from accumcheck.runfolder.imported import Imported
from accumcheck.watch.files import EDITED, Files
from accumcheck.watch.installed import installed
from accumcheck.watch.warm import WarmChecks, warm_checks

POLL_SECONDS = 0.1
"""Between two looks at the files. A change counts once the next look finds no more: a save takes several writes."""


class Screen(Protocol):
    """Where the loop tells what it does."""

    def running(self, check: CheckConfig, *, imports: bool) -> AbstractContextManager[OnEvent]:
        """While a check runs; ``imports``: torch and transformers are imported first."""

    def report(self, report: Report) -> None:
        """A check has ended."""

    def failed(self, error: AccumcheckError) -> None:
        """The configuration is broken, or nothing could be started."""

    def waiting(self) -> None:
        """It waits for changes."""

    def changed(self, files: list[Path]) -> None:
        """These files have changed."""

    def dropped(self, files: list[Path]) -> None:
        """These are written by the check itself, and are watched no longer."""


@dataclass
class Watcher:
    """Runs a check again and again.

    Attributes:
        config: the configuration's file.
        load: reads and checks it; raises `AccumcheckError`.
        screen: is told what happens.
        python: the interpreter under test.
        allow_skipped: see `accumcheck.check.run_check`.
        strict: see there.
        sleep: waits for so many seconds.
    """

    config: Path
    load: Callable[[], CheckConfig]
    screen: Screen
    python: str
    allow_skipped: bool = False
    strict: bool = False
    sleep: Callable[[float], None] = time.sleep
    files: Files = field(default_factory=Files)
    _during: list[Path] = field(default_factory=list)
    """The files that changed while the last check ran."""
    _pending: list[Path] = field(default_factory=list)
    """Those of them that the next check is still to be run for."""
    _filled: set[Path] = field(default_factory=set)
    """The folders in which the last check made files."""

    def watch(self, check: CheckConfig) -> NoReturn:
        """Run this check, and again after each change; ends only by an exception, such as Ctrl-C.

        Raises:
            KeyboardInterrupt: passed on when every process has been ended.
        """
        self.files.add([self.config.resolve()])
        while True:
            check = self._one_launch(check)

    def _one_launch(self, check: CheckConfig) -> CheckConfig:
        """Run checks in one launch; returns the check that needs another one."""
        imports = Imports.of(check)
        try:
            with warm_checks(check, python=self.python) as warm:
                fresh = True
                while True:
                    imported = self._run(warm, check, imports=fresh)
                    fresh = False
                    files, check = self.wait_for_check()
                    if not warm.launch.is_alive or imports.are_stale(check, imported, files):
                        return check
        except LaunchError as error:
            self.screen.failed(error)
            return self.wait_for_check()[1]

    def _run(self, warm: WarmChecks, check: CheckConfig, *, imports: bool) -> Imported:
        self.files.add(named_files(check))
        with self.screen.running(check, imports=imports) as on_event:
            started = time.time()
            report, imported = warm.run(check, on_event, allow_skipped=self.allow_skipped, strict=self.strict)
        self.files.add(map(Path, imported.files), since=started)
        self.screen.report(report)
        self.drop_written()
        return imported

    def drop_written(self) -> None:
        """Forget data that changed during two checks in a row: it seems to be their output, and would start the next.

        So does a folder in which two checks in a row made files, as of logs with the time in their names. Not code and
        configurations, which are edited.
        """
        during = self.files.changed()
        data = [file for file in during if file.suffix not in EDITED]
        filled = {file.parent for file in data if file in self.files.new and self.files.is_in_folder(file)}
        outputs = sorted(filled & self._filled)
        made = [file for file in data if file.parent in outputs and self.files.is_in_folder(file)]
        written = [file for file in data if file in self._during and file not in made]
        self._filled = filled.difference(outputs)
        self._during = [file for file in during if file not in (*written, *made)]
        self._pending = list(self._during)
        self.files.drop(written)
        self.files.drop_data_of(outputs)
        if outputs or written:
            self.screen.dropped([*outputs, *written])

    def wait_for_check(self) -> tuple[list[Path], CheckConfig]:
        """Wait until the configuration, or another file, has changed and the configuration is valid.

        Returns:
            All files that have changed, and the configuration.
        """
        files: list[Path] = []
        while True:
            self.screen.waiting()
            found = self._wait()
            files += found
            self.screen.changed(found)
            try:
                return files, self.load()
            except AccumcheckError as error:
                self.screen.failed(error)

    def _wait(self) -> list[Path]:
        """The files that have changed, when they have changed and then stayed as they are for a moment."""
        found, self._pending = self._pending, []
        while True:
            new = self.files.changed()
            found += [file for file in new if file not in found]
            if found and not new:
                return sorted(found)
            self.sleep(POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Imports:
    """What a launch has imported: for which stack and model, and from which packages."""

    of_check: tuple[str, str]
    packages: object

    @classmethod
    def of(cls, check: CheckConfig) -> Imports:
        """What a launch imports that runs this check now."""
        model = check.model
        kind = f"{model.name_or_path} {model.trust_remote_code} {(model.config or {}).get('model_type')}"
        return cls((check.known_stack, kind), installed())

    def are_stale(self, check: CheckConfig, imported: Imported, changed: list[Path]) -> bool:
        """Whether a new worker would not have what is installed and written now, or would import most of it anew.

        Args:
            check: what is to be run.
            imported: by the run before.
            changed: the files that have changed since.
        """
        return Imports.of(check) != self or not set(imported.preloaded).isdisjoint(map(str, changed))
