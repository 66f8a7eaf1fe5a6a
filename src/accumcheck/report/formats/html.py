"""One self-contained HTML page: no network, no fonts, and one script, which searches tables and holds no data.

The page's policy names the script by its hash, so that a browser runs no other.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from typing import TYPE_CHECKING

from accumcheck.report import blocks
from accumcheck.report.escapes import clean, legal
from accumcheck.report.format import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from accumcheck.report.blocks import Block
    from accumcheck.report.document import Document

_SIGNS = {"pass": "✓", "warn": "!", "fail": "✕", "error": "?", "skipped": "-", "ignore": "i"}
"""The sign of a verdict or a severity, shown with its colour and word."""


def text(document: Document) -> str:
    """The whole page; the document's content is escaped."""
    found = document.blocks()
    begin = next((index for index, block in enumerate(found) if isinstance(block, blocks.Section)), len(found))
    return (
        _templates()
        .get_template("document.html.j2")
        .render(document=document, conclusion=document.conclusion(), head=found[:begin], sections=_named(found[begin:]))
    )


def _named(found: Sequence[Block]) -> list[tuple[str, Block]]:
    """The sections with content, each with a unique id made from its title."""
    ids: list[tuple[str, Block]] = []
    taken: set[str] = set()
    for index, block in enumerate(found, start=1):
        title = block.title if isinstance(block, blocks.Section) else ""
        name = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
        if not name or name in taken:
            name = f"{name or 'section'}-{index}"
        taken.add(name)
        ids.append((name, block))
    return ids


def _linked(address: str) -> bool:
    """Whether an address may be a link: only web addresses, no scripts."""
    return address.startswith(("https://", "http://"))


def sha256_of(script: str) -> str:
    """The hash of a script as a content security policy writes it (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _templates() -> Environment:
    """The templates next to this module: `blocks.html.j2` has one macro per kind of block."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("accumcheck.report.formats", "page")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: legal(clean(value)) if type(value) is str else value,
    )
    style, script = (Markup(loader.get_source(environment, name)[0]) for name in ("style.css", "search.js"))
    environment.globals.update(style=style, script=script, script_hash=sha256_of(script))
    environment.globals.update(words=blocks.WORDS, signs=_SIGNS)
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.tests["linked"] = _linked
    return environment


FORMAT = Format("html", text, extension=".html", for_output=False)
