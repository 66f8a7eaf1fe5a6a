"""Which code of its author a configuration runs, and how that is refused: for CI jobs on changes by strangers.

With ``--no-programs`` a configuration may choose models, data and settings, but no code. The CI job must keep out
everything else that a stranger's change could bring, such as a package to install: see docs/ci.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accumcheck.config.faults import Place
from accumcheck.config.places import place_of_key
from accumcheck.errors import ConfigError
from accumcheck.stacks.protocol import ProgramSpec
from accumcheck.stacks.registry import find_stack

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig

VARIABLE = "ACCUMCHECK_NO_PROGRAMS"
"""The environment variable for ``--no-programs``: on, unless it is ``0``, ``false``, ``no`` or ``off``."""
_OFF = ("", "0", "false", "f", "no", "n", "off")
_REMOTE_CODE = "trust_remote_code"
_KERNEL = "attn_implementation"


@dataclass(frozen=True, slots=True)
class AuthorsCode:
    """Code that a configuration executes: the path of the key that asks for it, and what it runs."""

    key: tuple[str, ...]
    runs: str


def asked_by_variable() -> bool:
    """Whether the environment asks for ``--no-programs``."""
    return os.environ.get(VARIABLE, "").strip().lower() not in _OFF


def code_of_author(check: CheckConfig) -> list[AuthorsCode]:
    """All code of its author's choice that a configuration would run; empty if there is none."""
    found = []
    stack = find_stack(check.stack)
    if isinstance(stack, ProgramSpec):
        # TRL's and LLaMA-Factory's own programs too: their command lines and files name code of models and data
        found.append(AuthorsCode((stack.own[0].name,), f"the program {stack.title(check)} (stack: {check.stack})"))
    plain = check.to_dict()
    for section in ("model", "training_arguments"):
        found += _in_section((section,), plain[section])
    return found


def check_no_programs(
    checks: Iterable[tuple[CheckConfig, Path]], overrides: Sequence[str] = (), *, refuse: bool = True
) -> None:
    """Refuse configurations that run code of their author. The message lists every place in all of them.

    Args:
        checks: the configurations, each with its file.
        overrides: as in `accumcheck.config.load.load_config`, for all of them.
        refuse: if false, nothing is refused.

    Raises:
        ConfigError: a configuration runs code of its author.
    """
    if refuse:
        check_no_code_of_author(
            (code, place_of_key(path, code.key, overrides)) for check, path in checks for code in code_of_author(check)
        )


def check_no_code_of_author(found: Iterable[tuple[AuthorsCode, Place]]) -> None:
    """Refuse the code that was found.

    Args:
        found: the code, each with the place where the configuration asks for it.

    Raises:
        ConfigError: the list is not empty.
    """
    lines = [
        f"{place}: {'.'.join(code.key)}: would run {code.runs}; --no-programs refuses code of the configuration's "
        f"author. Remove it; or, if you trust the author, run without --no-programs and {VARIABLE}"
        for code, place in found
    ]
    if lines:
        raise ConfigError("\n".join(lines))


def _in_section(path: tuple[str, ...], value: Any) -> Iterator[AuthorsCode]:
    if isinstance(value, dict):
        for key, inner in value.items():
            here = (*path, str(key))
            if key == _REMOTE_CODE and inner:
                yield AuthorsCode(here, "code from the model's repository or folder")
            elif str(key).endswith(_KERNEL):
                yield from (AuthorsCode(here, f"the kernel {name} of the hub") for name in _texts(inner) if "/" in name)
            else:
                yield from _in_section(here, inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _in_section(path, inner)


def _texts(value: Any) -> Iterator[str]:
    """The text, or all texts of a mapping, which names one kernel for each part of a model."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
