"""A stub for the package ``nltk``, which downloads its sentence splitter: each text is one sentence.

Published summarization scripts import it before training and use it for the metric afterwards.
"""

from __future__ import annotations


class data:  # noqa: N801
    """All data files exist."""

    @staticmethod
    def find(name: str) -> str:
        """The path of a data file."""
        return name


def sent_tokenize(text: str) -> list[str]:
    """The sentences of a text."""
    return [text]
