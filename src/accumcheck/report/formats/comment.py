"""A comment on a pull request, in GitHub's Markdown: the number that matters first, the rest folded.

It has no dates and no durations, so that the same result gives the same text, and a comment that is kept up to date is
changed only when the result does.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from accumcheck.report.format import Format
from accumcheck.report.formats.markdown import escape, one_line, paragraphs

if TYPE_CHECKING:
    from accumcheck.report.blocks import Details
    from accumcheck.report.document import Document

LONGEST = 60_000
"""Characters; GitHub refuses a comment of more than 65,536."""
_CUT = "The rest is in the report: it would not fit in a comment."


def text(document: Document) -> str:
    """The whole comment; folded parts that would make it too long for GitHub are left out, and it says so."""
    made = document.comment()
    found = [f"**{escape(made.headline)}**", *paragraphs(made.blocks, depth=3)]
    for details in made.folded:
        part = _folded(details)
        if sum(map(len, found)) + len(part) + 2 * len(found) > LONGEST - len(_CUT):
            found.append(_CUT)
            break
        found.append(part)
    return "\n\n".join(found) + "\n"


def _folded(details: Details) -> str:
    """A part that can be unfolded. Its summary is raw HTML, in which Markdown is not rendered."""
    body = "\n\n".join(paragraphs(details.blocks, depth=4))
    return f"<details><summary>{html.escape(one_line(details.summary))}</summary>\n\n{body}\n\n</details>"


FORMAT = Format("comment", text, file_name="comment.md", title="a comment for a pull request", for_output=False)
