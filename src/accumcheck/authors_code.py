"""What a configuration runs of its author's code, and the refusal of it: for CI jobs on changes by strangers.

With ``--no-programs`` a configuration may choose models, data and settings, and nothing that is executed. Everything
else that a stranger's change could bring (a script, a package to install) is the CI job's to keep out: docs/ci.md.
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
"""Set to anything but ``0``, ``false``, ``no`` or ``off``, it means ``--no-programs``."""
_OFF = ("", "0", "false", "f", "no", "n", "off")
_REMOTE_CODE = "trust_remote_code"
_KERNEL = "attn_implementation"


@dataclass(frozen=True, slots=True)
class AuthorsCode:
    """Code that a configuration has executed: the path of the key that says so, and what it is."""

    key: tuple[str, ...]
    runs: str


def asked_by_variable() -> bool:
    """Whether the environment asks for ``--no-programs``."""
    return os.environ.get(VARIABLE, "").strip().lower() not in _OFF


def code_of_author(check: CheckConfig) -> list[AuthorsCode]:
    """All that a configuration would run of its author's choice; empty where there is none."""
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
    """Refuse configurations that run code of their author's; the text has every place in all of them.

    Args:
        checks: the configurations, each with its file.
        overrides: as of `accumcheck.config.load.load_config`, for all of them.
        refuse: nothing is refused without.

    Raises:
        ConfigError: one does.
    """
    if refuse:
        check_no_code_of_author(
            (code, place_of_key(path, code.key, overrides)) for check, path in checks for code in code_of_author(check)
        )


def check_no_code_of_author(found: Iterable[tuple[AuthorsCode, Place]]) -> None:
    """Refuse code, where there is any.

    Args:
        found: each with the place where the configuration asks for it.

    Raises:
        ConfigError: there is some.
    """
    lines = [
        f"{place}: {'.'.join(code.key)}: would run {code.runs}; --no-programs refuses code of the configuration's "
        f"author: take it out, or, if you trust the author, run without --no-programs and {VARIABLE}"
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
    """A text, or all in a mapping: one kernel for each part of a model."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
