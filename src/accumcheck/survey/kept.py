"""The results of an unfinished survey, one class per line, so that it can be resumed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.record.survey import SurveyedClass
from accumcheck.redaction import redacted
from accumcheck.saved.read import record_from
from accumcheck.saved.write import plain

if TYPE_CHECKING:
    from pathlib import Path

    from accumcheck.survey.asked import Asked


class Kept:
    """The file of ``--resume``.

    Its first line describes the survey. A different survey cannot be resumed from it.
    """

    def __init__(self, path: Path, transformers: str, asked: Asked) -> None:
        """``transformers``: the requested release; empty: the installed one."""
        self._path = path
        self._head = {"survey": transformers, "splits": [str(split) for split in asked.splits]}

    def read(self) -> list[SurveyedClass]:
        """The classes in the file; empty if there is no file. The last line may be incomplete.

        Raises:
            ConfigError: the file belongs to another survey, or is not a survey.
        """
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._path}: cannot be read: {error}") from None
        whole = lines[:-1]  # the text after the last line break is incomplete
        found = [self._line(number, line) for number, line in enumerate(whole, start=1)]
        if found and found[0] != self._head:
            raise ConfigError(
                f"{self._path}: this file has the survey {json.dumps(found[0])}, but {json.dumps(self._head)} was "
                "requested; give another file with --resume"
            )
        return [redacted(record_from(SurveyedClass, one)) for one in found[1:]]

    def _line(self, number: int, line: str) -> Any:
        try:
            return json.loads(line)
        except ValueError:
            raise ConfigError(f"{self._path}:{number}: not a line of a survey; give another file") from None

    def add(self, *classes: SurveyedClass) -> None:
        """Append classes. An incomplete last line is replaced. The first call makes the file.

        Raises:
            AccumcheckError: they cannot be written.
        """
        try:
            whole = self._path.read_bytes().rpartition(b"\n") if self._path.exists() else (b"", b"", b"")
            written = len(whole[0]) + len(whole[1])
            records = [*([] if written else [self._head]), *map(plain, classes)]
            with self._path.open("r+b" if self._path.exists() else "wb") as stream:
                stream.seek(written)
                stream.truncate()
                stream.write("".join(json.dumps(record) + "\n" for record in records).encode())
        except OSError as error:
            raise AccumcheckError(f"{self._path}: cannot be written: {error.strerror or error}") from error
