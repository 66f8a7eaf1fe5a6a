"""Write docs/configuration.md from the configuration's own declarations: python scripts/configuration_page.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from accumcheck.config import limits
from accumcheck.config.aliases import ALIASES, LENGTH_ALIASES
from accumcheck.config.expect import ExpectedFailure
from accumcheck.config.faults import show_path
from accumcheck.config.messages import expected
from accumcheck.config.model import CheckConfig
from accumcheck.config.schema import meanings_of
from accumcheck.config.values import SplitKeys
from accumcheck.declare.keys import Declared, Derived, OneOf, Required, Section, keys_of
from accumcheck.record.split import SPLIT_ALIASES

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

_HEAD = """\
# Configuration: every key

<!-- Written by scripts/configuration_page.py from the code; change it there. -->

A configuration is a YAML file with one mapping. `accumcheck validate FILE` prints it with every default, or says
everything that is wrong with it at once, each with file and line. The command line beats the file, and the file the
defaults: `--set launcher.device=cpu` sets one key, and may be repeated. `accumcheck schema config` prints the JSON
Schema.

A configuration is a regular file of UTF-8 text, of at most {bytes} bytes, {values} values and {depth} levels. YAML
tags, merge keys and keys that are given twice are errors. Paths in a file are relative to the file, those on the
command line to the working directory. All steps together train at most {samples} samples, with at most {tokens}
tokens of synthetic data.
"""

_TITLES = {"": "Top level", "splits[]": "One split", "expect[]": "One known failure"}


def page() -> str:
    """The page as text."""
    head = _HEAD.format(
        bytes=limits.FILE_BYTES,
        values=limits.VALUES,
        depth=limits.DEPTH,
        samples=limits.SAMPLES,
        tokens=limits.SYNTHETIC_TOKENS,
    )
    parts = [_table(section, path) for section, path in _sections(CheckConfig, "")]
    return "\n".join([head, *parts, _table(SplitKeys, "splits[]"), _table(ExpectedFailure, "expect[]")])


def _sections(section: type[Section], path: str) -> Iterator[tuple[type[Section], str]]:
    yield section, path
    for name, declared in keys_of(section).items():
        if declared.section is not None:
            yield from _sections(declared.section, f"{path}.{name}" if path else name)


def _table(section: type[Section], path: str) -> str:
    rows = [_row(declared, meanings_of(section)[name], path) for name, declared in keys_of(section).items()]
    title = _TITLES.get(path, f"`{path}`")
    lines = ["| key | allowed | default | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([f"## {title}", "", *lines, ""])


def _row(declared: Declared, meaning: str, path: str) -> str:
    allowed = "a section, see below" if declared.section is not None else expected(declared)
    choice = declared.find(OneOf)
    if choice is not None and choice.spellings:
        allowed += f"; also {', '.join(choice.spellings)}"
    names = _other_names(f"{path}.{declared.name}" if path else declared.name)
    also = f" Other names: {', '.join(f'`{name}`' for name in names)}." if names else ""
    return f"| `{declared.name}` | {_cell(allowed)} | {_default(declared)} | {_cell(meaning)}{also} |"


def _default(declared: Declared) -> str:
    if declared.find(Required) is not None or declared.default is MISSING:
        return "required"
    if declared.section is not None or declared.find(Derived) is not None or declared.default in (None, {}, ()):
        return "`auto`" if _is_auto(declared) else ""
    plain: Any = list(declared.default) if isinstance(declared.default, tuple) else declared.default
    return f"`{plain if isinstance(plain, str) else json.dumps(plain)}`"


def _is_auto(declared: Declared) -> bool:
    return declared.section is None and expected(declared).startswith("auto or ")


def _other_names(path: str) -> list[str]:
    names = [show_path(alias) for alias, target in ALIASES.items() if show_path(target) == path]
    if path in ("data.max_length", "data.synthetic.max_length"):
        names += [show_path(alias) for alias in LENGTH_ALIASES]
    return names + [alias for alias, name in SPLIT_ALIASES.items() if f"splits[].{name}" == path]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
