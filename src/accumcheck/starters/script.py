"""A starter configuration for a script. Its flags are read from its source; the script is not run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from accumcheck.config.devices import AssumedDevices
from accumcheck.config.files import read_text
from accumcheck.config.limits import BATCH as MOST
from accumcheck.config.other_files import by_its_keys, by_its_name
from accumcheck.config.splits import auto_splits
from accumcheck.errors import ConfigError
from accumcheck.record import Split
from accumcheck.source.files import files_of
from accumcheck.source.flags.flag import Flag
from accumcheck.source.flags.found import flags_in
from accumcheck.source.names import has_trainer, uses_processes
from accumcheck.source.roles import ACCUMULATION, BATCH, GLOBAL_BATCH, PROCESSES, STEPS, Role, roles_in
from accumcheck.starters.command_line import CommandLine, command_line, is_given, value_of
from accumcheck.starters.starter import STEPS as STEPS_TEXT
from accumcheck.starters.starter import (
    TRAINING_ARGUMENTS,
    default_batch,
    devices_text,
    path_from,
    processes_of,
    splits_text,
)
from accumcheck.starters.words import comment, listed, yaml_words

LARGEST = 128
"""The largest global batch, in samples. Larger ones are checked with fewer: faults do not depend on the number."""
_MEANS = {
    BATCH: "the samples of a micro-batch",
    ACCUMULATION: "the accumulation steps",
    GLOBAL_BATCH: "the samples of an optimizer step",
    STEPS: "the number of optimizer steps",
}


@dataclass(frozen=True, slots=True)
class _Program:
    """What is known about a script without running it; ``numbers``: the flags that seem to take a split's numbers."""

    script: Path
    has_trainer: bool
    alone: bool
    unread: bool
    flags: tuple[Flag, ...]
    numbers: tuple[Role, ...]

    @property
    def roles(self) -> tuple[Role, ...]:
        """The flags that become placeholders; none with a Trainer, whose TrainingArguments are set."""
        return () if self.has_trainer else self.numbers


def starter_of_script(script: Path, given: Sequence[str], devices: AssumedDevices, folder: Path) -> str:
    """The text of a configuration that runs a script.

    Args:
        script: a Python file.
        given: the user's arguments for the script.
        devices: the splits are chosen for these devices.
        folder: the folder of the configuration; the script's path is relative to it.

    Raises:
        ConfigError: the file is not a Python script.
    """
    if script.is_file() and script.suffix != ".py" and (what := by_its_name(script) or _by_its_ending(script)):
        raise ConfigError(f"--script {script}: {what}")
    program = _read(script)
    line = command_line(given, program.roles)
    count = 1 if program.alone else processes_of(devices)
    own = _own_split(program, given, count)
    fits = own is not None and own.global_batch_size <= LARGEST
    batch = own.global_batch_size if own is not None and fits else default_batch(count)
    splits = tuple(dict.fromkeys([*auto_splits(batch, count), *([own] if own is not None and fits else [])]))
    known, unknown = list(_known(program, line, given)), list(_unknown(program, line, given, own))
    head = [
        f"# The check of {comment(script.name)}: does every split of its global batch train the same?",
        "# Its flags were read from its source; nothing was run.",
        *listed(known),
        *(["# Please check:", *listed(unknown)] if unknown else []),
    ]
    chosen = [
        "stack: script",
        "script:",
        f"  path: {json.dumps(path_from(folder, str(script)))} # relative to this file, or to the working directory",
        f"  arguments:{yaml_words(line.words, '    ')} # as in: python {comment(script.name)}",
    ]
    reason = f"{devices_text(devices)}{', but the program uses one process' if program.alone else ''}"
    text = ["\n".join(head) + "\n", "\n".join(chosen) + "\n", splits_text(splits, batch, reason, own) + STEPS_TEXT]
    return "\n".join([*text, *([TRAINING_ARGUMENTS] if program.has_trainer else [])])


def _by_its_ending(script: Path) -> str:
    """What a file with settings is; empty for other files."""
    if script.suffix not in (".yaml", ".yml", ".json", ".toml"):
        return ""
    return by_its_keys(read_text(script, "give a Python file"), script) or "this is not Python; give a Python file"


def _read(script: Path) -> _Program:
    files = list(files_of(script))
    trees = [file.tree for file in files if file.tree is not None]
    trains = has_trainer(trees)
    flags = flags_in(files)
    unread = len(trees) < len(files)
    return _Program(
        script=script,
        has_trainer=trains,
        alone=not trains and not unread and not uses_processes(trees),
        unread=unread,
        flags=flags,
        numbers=roles_in(flags, files),
    )


def _known(program: _Program, line: CommandLine, given: Sequence[str]) -> Iterator[str]:
    if program.has_trainer:
        yield "batch size, accumulation and steps: set in its TrainingArguments; its own values are ignored"
    for role in program.roles:
        fact = f"{role.flag.name}: {_MEANS[role.number]}"
        if role.times:
            by = " and by ".join("the number of processes" if one == PROCESSES else _MEANS[one] for one in role.times)
            fact += f"; the program divides them by {by} itself ({role.place})"
        if role.number in line.values:
            fact += f"; {line.values[role.number]} in your command line"
        yield fact
    for name in _yaml_files(given):
        yield f"{name}: keys with a split's numbers (micro_batch_size, gradient_accumulation_steps ...) are replaced"


def _unknown(program: _Program, line: CommandLine, given: Sequence[str], own: Split | None) -> Iterator[str]:
    if program.unread:
        yield "some of its files are not valid Python here, so flags may be missing above"
    for flag in program.flags:
        if flag.required and flag.names and not is_given(line.words, flag):
            yield f"{flag.name}: required, but not in the arguments"
    words = [flag.name for flag in program.flags if flag.required and not flag.names]
    if words and not given:
        yield f"{', '.join(words)}: required words, but not in the arguments"
    for role in program.roles:
        if role.others:
            yield f"{role.flag.name}: {', '.join(one.name for one in role.others)} may also be the right flag"
    found = {role.number for role in program.roles}
    if GLOBAL_BATCH in found:
        yield "the unit of its global batch: the placeholder counts samples; if the flag counts tokens, multiply"
    if not program.has_trainer and not _yaml_files(given):
        for number in (BATCH, ACCUMULATION):
            if number not in found and not (number == ACCUMULATION and GLOBAL_BATCH in found):
                yield f"no flag for {_MEANS[number]} was found; pass it as {{{number}}}, or see docs/stacks.md"
    if program.alone:
        yield "it seems to use one process, so every split has one; if you start it with torchrun, add splits 2xBxK"
    if own is not None and own.global_batch_size > LARGEST:
        yield f"you train {own}, {own.global_batch_size} samples per step; the check uses fewer, which is faster"
    if not program.has_trainer:
        yield "the loss is not compared; to compare it, call accumcheck.report_loss(loss) in the training loop"


def _own_split(program: _Program, given: Sequence[str], count: int) -> Split | None:
    """The split that the user's command line trains on these devices; None if unknown."""
    named = [value_of(given, f"--{number}") for number in (BATCH, ACCUMULATION)]
    if program.has_trainer and any(named):
        b, k = (_whole(text, default) for text, default in zip(named, (8, 1), strict=True))  # TrainingArguments' own
        return _split(count, b, k)
    roles = {role.number: role for role in program.numbers}
    if BATCH not in roles or ACCUMULATION not in roles or not given:
        return None
    values = command_line(given, program.numbers).values
    b, k = (_whole(values.get(number), roles[number].flag.default) for number in (BATCH, ACCUMULATION))
    if b is None or k is None:
        return None
    if PROCESSES in roles[ACCUMULATION].times:
        k = k // count if k % count == 0 else None
    divisor = (count if PROCESSES in roles[BATCH].times else 1) * (
        (k or 1) if ACCUMULATION in roles[BATCH].times else 1
    )
    return _split(count, b // divisor if b % divisor == 0 else None, k)


def _split(n: int, b: int | None, k: int | None) -> Split | None:
    return None if b is None or k is None or n * b * k > MOST else Split(n, b, k)


def _whole(text: str | None, default: object) -> int | None:
    value = default if text is None else text
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if 1 <= number <= MOST else None


def _yaml_files(given: Sequence[str]) -> list[str]:
    return [name for word in given if (name := word.rpartition("=")[2]).endswith((".yaml", ".yml"))]
