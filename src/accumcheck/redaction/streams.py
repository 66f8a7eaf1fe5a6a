"""Standard output and standard error without secrets, for everything printed: commands, progress, click, tracebacks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any

from accumcheck.redaction.texts import redacted_text


class RedactingStream:
    """A text stream that hides secrets in what is written to it, and otherwise behaves like the stream below."""

    def __init__(self, below: IO[str]) -> None:
        self._below = below

    def write(self, text: str) -> int:
        """Write the text without its secrets.

        Returns:
            The length of the given text.
        """
        self._below.write(redacted_text(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)


@contextlib.contextmanager
def redacted_streams() -> Iterator[None]:
    """Within this context, ``sys.stdout`` and ``sys.stderr`` hide secrets; a missing one stays missing."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _over(out), _over(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def _over(stream: Any) -> Any:
    return stream if stream is None or isinstance(stream, RedactingStream) else RedactingStream(stream)
