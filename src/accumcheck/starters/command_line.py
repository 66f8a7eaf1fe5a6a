"""A program's command line, with placeholders for the numbers of a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accumcheck.declare.placeholders import with_unknown_doubled
from accumcheck.source.flags.flag import Flag
from accumcheck.source.roles import Role


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line of a program.

    Attributes:
        words: the arguments, with placeholders.
        values: the user's value for each number, by the name of the number.
        added: the flags that the user did not give.
    """

    words: tuple[str, ...]
    values: dict[str, str]
    added: tuple[Flag, ...]


def command_line(given: Sequence[str], roles: Sequence[Role]) -> CommandLine:
    """The user's arguments with a placeholder for every number of the split. Missing flags are added.

    Args:
        given: the user's arguments, one word each.
        roles: the flags that take a number.
    """
    values: dict[str, str] = {}
    words = list(_replaced(given, roles, values))
    added = [role for role in roles if role.number not in values]
    for role in added:
        name = role.flag.name
        words += [f"{name}={role.placeholder}"] if role.flag.joined else [name, role.placeholder]
    return CommandLine(tuple(words), values, tuple(role.flag for role in added))


def _replaced(given: Sequence[str], roles: Sequence[Role], values: dict[str, str]) -> Iterator[str]:
    waiting = iter(given)
    for word in waiting:
        name, is_joined, value = word.partition("=")
        role = next((one for one in roles if one.flag.has_name(name)), None)
        if role is None:
            yield with_unknown_doubled(word)
        elif is_joined:
            values[role.number] = value
            yield f"{name}={role.placeholder}"
        else:
            values[role.number] = next(waiting, "")
            yield word
            yield role.placeholder


def value_of(given: Sequence[str], *names: str) -> str | None:
    """The value of a flag under any of its names, as ``--name value`` or ``--name=value``; None if it is missing."""
    flag = Flag(names, names[0])
    for at, word in enumerate(given):
        name, is_joined, value = word.partition("=")
        if flag.has_name(name):
            return value if is_joined else given[at + 1] if at + 1 < len(given) else None
    return None


def is_given(given: Sequence[str], flag: Flag) -> bool:
    """Whether a command line contains a flag."""
    return any(flag.has_name(word.partition("=")[0]) for word in given)
