"""Pass a split's numbers to a program: on its command line, in its training arguments, or in a YAML file that it reads.

All three ways are offered to every program, and none changes a file of the user. The way that a program used is
recorded. Whether the program followed the split is not checked here, but from the micro-batches that it trains on.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from accumcheck.capture.patches import Patches, Seam
from accumcheck.declare.placeholders import OF_SPLIT, fill, names_in, numbers_of
from accumcheck.record import Split
from accumcheck.record.split import SPLIT_ALIASES

TRAINING_ARGUMENTS = "TrainingArguments"
COMMAND_LINE = "the command line"
YAML_ENDINGS = (".yaml", ".yml")


class Handover:
    """The numbers of one ``split``, and where the program read them: ``ways``, the most important one first."""

    def __init__(self, split: Split, steps: int, patches: Patches) -> None:
        self.split = split
        self._patches = patches
        self._numbers = numbers_of(split, steps)
        self._in_files = {
            **{name: self._numbers[name] for name in OF_SPLIT},
            **{
                alias: self._numbers[name]
                for alias, name in SPLIT_ALIASES.items()
                if len(alias) > 1 and name in OF_SPLIT
            },
            "max_steps": steps,
        }
        self._taken: list[str] = []

    @property
    def ways(self) -> tuple[str, ...]:
        """`COMMAND_LINE`, `TRAINING_ARGUMENTS` or the name of a file; empty if the program has read none."""
        first = (COMMAND_LINE, TRAINING_ARGUMENTS)
        return tuple(sorted(dict.fromkeys(self._taken), key=lambda way: first.index(way) if way in first else 2))

    def take(self, way: str) -> None:
        """Record that the program has read the numbers in this way."""
        self._taken.append(way)

    def fill(self, arguments: Sequence[str]) -> list[str]:
        """The command line with ``{per_device_train_batch_size}`` and the like replaced by the numbers."""
        if any(name in OF_SPLIT for argument in arguments for name in names_in(argument)):
            self.take(COMMAND_LINE)
        return [fill(argument, self._numbers) for argument in arguments]

    def answer_yaml(self, arguments: Sequence[str]) -> None:
        """Replace the split's numbers in every YAML file on this command line, whenever it is read during the job.

        Replaced are values with placeholders, and the keys that the file has, at any depth, by their names in
        `TrainingArguments` or by the aliases of accumcheck's configuration (``micro_batch_size``). The file on disk
        stays as it is.
        """
        files = {text: name for name, text in _yaml_files(arguments)}
        if not files:
            return

        def answering(original: Any) -> Any:
            @functools.wraps(original)
            def load(stream: Any, *args: Any, **kwargs: Any) -> Any:
                text = stream if isinstance(stream, (str, bytes)) else stream.read()
                found = original(text, *args, **kwargs)
                name = files.get(text.decode(errors="replace") if isinstance(text, bytes) else text)
                if name is not None and self._answer(found):
                    self.take(name)
                return found

            return load

        self._patches.wrap(Seam.YAML, yaml, answering)  # safe_load, full_load and OmegaConf.load call this too

    def _answer(self, found: Any) -> bool:
        """Set the numbers in what was read. Returns whether it contained a number of the split."""
        told = False
        if isinstance(found, dict):
            for key, value in found.items():
                if key in self._in_files and not isinstance(value, (Mapping, list)):
                    found[key] = self._in_files[key]
                    told |= key != "max_steps"
                elif isinstance(value, str):
                    found[key] = self._filled(value)
                    told |= any(name in OF_SPLIT for name in names_in(value))
                else:
                    told |= self._answer(value)
        elif isinstance(found, list):
            for value in found:
                told |= self._answer(value)
        return told

    def _filled(self, value: str) -> str | int:
        """A value of a file with placeholders filled in; a number if the value is only a placeholder."""
        text = fill(value, self._numbers)
        return int(text) if text != value and text.isdigit() else text


def _yaml_files(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """The name and the text of every YAML file on a command line, including ``--config=FILE``."""
    found = []
    for argument in arguments:
        path = Path(argument.partition("=")[2] if argument.startswith("-") else argument)
        if path.suffix in YAML_ENDINGS:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found.append((path.name, path.read_text(encoding="utf-8")))
    return found
