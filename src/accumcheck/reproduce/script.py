"""The text of a reproduction: one Python file that imports torch and the stack, but not accumcheck."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from accumcheck.reproduce.case import Case, Field, Heading, Subject
from accumcheck.reproduce.scripts import tensors, texts
from accumcheck.reproduce.scripts.frame import GRADIENT, HEAD, TAIL, TOLERANCE
from accumcheck.reproduce.scripts.recipe import Recipe
from accumcheck.reproduce.scripts.registry import RECIPES

MOST_LINES = 77
"""The largest number of lines. With the output below, a script has at most 80."""
_WIDTH = 118
_ROWS_ON_LINES = 2
_INSIDE = "\0"
"""Replaces a space inside a text while lines are wrapped, so that no line ends there."""
_SUMMARY_LINES = (4, 2, 1)
"""The largest number of lines of the summary; the next one is tried if the script is too long."""

_NOISE = "NOISE = torch.Generator().manual_seed(0)\n"


class TooLongError(ValueError):
    """The script would be too long."""


def script(case: Case, heading: Heading) -> str:
    """The text of the script.

    Args:
        case: the case to run.
        heading: the text at its top.

    Raises:
        TooLongError: the script would be longer than `MOST_LINES`.
        ValueError: the name of an argument is not allowed in Python.
    """
    recipe = RECIPES[case.stack]
    middle = _of_tensors(case, recipe) if recipe.feeds == "tensors" else _of_texts(case, recipe)
    rest = middle + TAIL.format(tolerance=TOLERANCE)
    for lines in _SUMMARY_LINES:
        text = _head(case, recipe, heading, lines) + rest
        if text.count("\n") <= MOST_LINES:
            return text
    raise TooLongError(f"the script would have {text.count(chr(10))} lines, more than {MOST_LINES}")


def _head(case: Case, recipe: Recipe, heading: Heading, lines: int) -> str:
    subject, split = case.subject, case.split
    imports = recipe.imports.format(model_class=subject.model_class)
    if recipe.feeds == "texts":
        imports = texts.IMPORTS.format(transformers=recipe.parts["transformers"], own=imports)
    copies = "copy, " if "copy." in recipe.parts.get("trainer", "") else ""
    return HEAD.format(
        summary=_summary(heading.summary, lines),
        more=_more(heading),
        command=command(split.num_processes),
        standard=f"{copies}os, sys, tempfile, traceback",
        imports=imports,
        b=split.per_device_train_batch_size,
        k=split.gradient_accumulation_steps,
        n=split.num_processes,
        config=_mapping(subject.config),
        noise=_NOISE if any(one.values is None for row in subject.rows for one in row.values()) else "",
        rows=_rows(subject),
    )


def _of_tensors(case: Case, recipe: Recipe) -> str:
    subject = case.subject
    return tensors.MIDDLE.format(
        joined=_joined(subject),
        fill=_fill(subject),
        count=tensors.COUNTS[subject.counts],
        gradient=GRADIENT,
        model_class=subject.model_class,
        model_type=subject.model_type,
        loop=recipe.loop.replace("{more}", _arguments(case.arguments)),
    )


def _of_texts(case: Case, recipe: Recipe) -> str:
    parts = recipe.parts
    return texts.MIDDLE.format(
        words=" ".join(texts.WORDS),
        gradient=GRADIENT,
        model=parts["model"].replace("{model_type}", case.subject.model_type),
        arguments=parts["arguments"],
        more=_arguments(case.arguments),
        trainer=parts["trainer"].replace("{loss}", _loss(case)),
        rows=parts["rows"],
        count=parts["count"],
    )


def _loss(case: Case) -> str:
    """The call that makes a loss. The configuration has checked its name; its arguments are literals.

    Raises:
        ValueError: a name is not allowed in Python.
    """
    name, arguments = case.loss
    if name and (not name.isidentifier() or keyword.iskeyword(name)):
        raise ValueError(f"{name!r} is not the name of a loss")
    given = _given(arguments)
    return f"{name}(model{', ' if given else ''}{given})"


def command(processes: int, name: str = "repro.py") -> str:
    """The command that runs the script."""
    return f"python {name}" if processes == 1 else f"torchrun --nproc_per_node {processes} {name}"


def _more(heading: Heading) -> str:
    lines = [f"Seen with {', '.join(heading.versions)}. The reference computes each row alone, without accumulation."]
    lines += [f"Computed at {heading.source}."] if heading.source else []
    lines += [f"Known: {heading.known}"] if heading.known else []
    return "\n".join(map(_in_docstring, lines))


def _summary(text: str, lines: int) -> str:
    """The wrapped summary as part of a docstring. What does not fit is left out, from the last ``;`` or ``:`` on.

    If there is none, three dots say that it goes on.
    """
    wrapped = textwrap.wrap(_in_docstring(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    kept = "\n".join(wrapped[:lines])
    if len(wrapped) <= lines:
        return kept
    ends = [found.start() for found in re.finditer(r"[;:](?=\s|$)", kept)]
    return f"{kept[: ends[-1]]}." if ends else f"{kept.rpartition(' ')[0]} ..."


def _in_docstring(text: str) -> str:
    """Text from a report on one line. It cannot end the docstring that contains it."""
    printable = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(printable.split()).replace("\\", "/").replace('"', "'")


def _mapping(config: Mapping[str, Any]) -> str:
    """A mapping as a literal, on several lines if it is long."""
    if len(line := repr(dict(config))) < _WIDTH - len("CONFIG = "):
        return line
    body = _wrapped(", ".join(f"{name!r}: {value!r}" for name, value in config.items()), "    ")
    return f"{{\n{body}\n}}"


def _rows(subject: Subject) -> str:
    """Each row on separate lines; if there are many rows, one after the other."""
    found = []
    for row in subject.rows:
        inner = ", ".join(f'"{name}": {_value(value)}' for name, value in row.items())
        found.append(f"{{{inner}}},")
    if len(found) > _ROWS_ON_LINES:
        found = [" ".join(found)]
    return "\n" + "\n".join(_wrapped(row, "    ") for row in found).replace(_INSIDE, " ")


def _value(value: Field) -> str:
    if not value.shape and value.values is None:
        return "torch.randn((), generator=NOISE)"
    if value.shape:
        return f"torch.randn({', '.join(map(str, value.shape))}, generator=NOISE)"
    numbers = value.values
    if isinstance(numbers, str):
        return repr(numbers).replace(" ", _INSIDE)
    if isinstance(numbers, list) and len(numbers) > 1 and len(set(map(str, numbers))) == 1:
        return f"[{numbers[0]}] * {len(numbers)}"
    return repr(numbers)


def _fill(subject: Subject) -> str:
    """The expression for the padding of shorter rows."""
    fields = subject.rows[0]
    found = "0"
    if subject.pad and any("input_ids" in name for name in fields):
        found = f'{subject.pad} if "input_ids" in name else 0'
    return f'-100 if "labels" in name else {found}' if subject.counts != "rows" else found


def _joined(subject: Subject) -> str:
    if not subject.joined:
        return ""
    names = ", ".join(f'"{name}"' for name in subject.joined)
    return f"        if name in ({names},): batch[name] = torch.cat(values); continue\n"


def _arguments(arguments: Mapping[str, Any]) -> str:
    given = _given(arguments)
    return f"{_wrapped(given + ',', '    ')}\n" if given else ""


def _given(arguments: Mapping[str, Any]) -> str:
    """Keyword arguments of a call.

    Raises:
        ValueError: one has a name that Python does not allow.
    """
    wrong = [name for name in arguments if not name.isidentifier() or keyword.iskeyword(name)]
    if wrong:
        raise ValueError(f"training_arguments: {wrong[0]!r} is not the name of an argument")
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _wrapped(text: str, indent: str) -> str:
    return "\n".join(
        textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
