"""Stands in for the package ``nltk``, which downloads what it cuts sentences with: each text is one sentence.

Published summarization scripts ask for it before they train and use it for the metric after.
"""

from __future__ import annotations


class data:  # noqa: N801
    """Its data is there, whatever is asked for."""

    @staticmethod
    def find(name: str) -> str:
        """Where something is."""
        return name


def sent_tokenize(text: str) -> list[str]:
    """The sentences of a text."""
    return [text]
