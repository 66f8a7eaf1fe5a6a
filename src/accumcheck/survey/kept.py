"""The classes of a survey that was not run to its end: one a line, so that it can be resumed."""

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
    """The file that ``--resume`` names.

    Its first line says what it is a survey of; a survey of anything else does not go on from it.
    """

    def __init__(self, path: Path, transformers: str, asked: Asked) -> None:
        """``transformers``: the release that is asked for; empty: the installed one."""
        self._path = path
        self._head = {"survey": transformers, "splits": [str(split) for split in asked.splits]}

    def read(self) -> list[SurveyedClass]:
        """The classes that are in it; none where there is no such file. The last line may be cut short.

        Raises:
            ConfigError: it is of another survey, or holds something else.
        """
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._path}: cannot be read: {error}") from None
        whole = lines[:-1]  # what follows the last line break was cut short
        found = [self._line(number, line) for number, line in enumerate(whole, start=1)]
        if found and found[0] != self._head:
            raise ConfigError(
                f"{self._path}: it holds the survey {json.dumps(found[0])}, and {json.dumps(self._head)} was asked "
                "for; name another file with --resume"
            )
        return [redacted(record_from(SurveyedClass, one)) for one in found[1:]]

    def _line(self, number: int, line: str) -> Any:
        try:
            return json.loads(line)
        except ValueError:
            raise ConfigError(f"{self._path}:{number}: not a line of a survey; name another file") from None

    def add(self, *classes: SurveyedClass) -> None:
        """Append classes, in the place of a last line that was cut short; the first call makes the file.

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
