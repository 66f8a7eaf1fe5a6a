"""The text of a reproduction: one Python file that imports torch and the stack, but not accumcheck."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from accumcheck.reproduce.case import Case, Field, Heading, Subject

MOST_LINES = 77
"""The largest number of lines. With the output below, a script has at most 80."""
_WIDTH = 118
_ROWS_ON_LINES = 2
_TOLERANCE = 1e-3

_HEAD = '''\
"""{summary}

{more}
Run it on a CPU: {command}
Exit code: 1 if the fault is there, 0 if it is not, 2 if the script cannot run.
"""
import os, sys, tempfile, traceback

def ended(kind, error, trace):
    if kind is not AssertionError:
        traceback.print_exception(kind, error, trace)
    sys.stdout.flush()
    os._exit(1 if kind is AssertionError else 2)

sys.excepthook = ended
os.environ.update(CUDA_VISIBLE_DEVICES="", ACCELERATE_USE_CPU="true", TOKENIZERS_PARALLELISM="false")
import torch
{imports}

B, K, N = {b}, {k}, {n}  # per-device batch size, gradient accumulation steps, processes
if int(os.environ.get("WORLD_SIZE", 1)) != N: raise RuntimeError(f"needs {{N}} processes; start it as shown above")
CONFIG = {config}
{noise}ROWS = [{rows}
]

def collate(rows):
    batch = {{}}
    for name in rows[0]:
        values = [torch.as_tensor(row[name]) for row in rows]
{joined}        fill = {fill}
        batch[name] = torch.stack(values) if values[0].ndim - 1 else torch.nn.utils.rnn.pad_sequence(values, True, fill)
    return batch

def count(row):  # the number of labels that the row's loss is a mean of
    return {count}

def gradient(model):
    return torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in model.parameters()])

torch.manual_seed(0)
model = {model_class}(AutoConfig.for_model("{model_type}", **CONFIG)).train()
total = sum(count(row) for row in ROWS)
right = sum(model(**collate([row])).loss * count(row) for row in ROWS) / total  # each row alone: no accumulation
right.backward()
right_loss, right_gradient = right.item(), gradient(model)
model.zero_grad()

seen = []
optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
optimizer.register_step_pre_hook(lambda *_: seen.append(gradient(model)))
{loop}
off = ((seen[0] - right_gradient).norm() / right_gradient.norm()).item()
if os.environ.get("RANK", "0") == "0":
    print(f"loss {{loss:.4f}}, right {{right_loss:.4f}} (x {{loss / right_loss:.3f}}); "
          f"gradient norm {{seen[0].norm():.4f}}, right {{right_gradient.norm():.4f}}; off by {{off:.2g}}")
assert abs(loss - right_loss) <= {tolerance} * abs(right_loss), "the reported loss is wrong"
assert off <= {tolerance}, "the gradient is wrong"
'''

_TRAINER = """\
arguments = TrainingArguments(
    tempfile.mkdtemp(), per_device_train_batch_size=B, gradient_accumulation_steps=K, max_steps=1, logging_steps=1,
    max_grad_norm=0.0, save_strategy="no", report_to=[], use_cpu=True, remove_unused_columns=False, disable_tqdm=True,
{more})
constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
trainer = Trainer(model, arguments, collate, ROWS, optimizers=(optimizer, constant))
trainer.remove_callback(PrinterCallback)
trainer.train()
loss = trainer.state.log_history[0]["loss"]"""

_ACCELERATE = """\
accelerator = Accelerator(gradient_accumulation_steps=K, cpu=True)
loader = torch.utils.data.DataLoader(ROWS, B, collate_fn=lambda rows: (collate(rows), sum(map(count, rows))))
prepared, optimizer, loader = accelerator.prepare(model, optimizer, loader)
loss = torch.zeros(())
for batch, labels in loader:
    with accelerator.accumulate(prepared):
        share = prepared(**batch).loss * labels / total  # of the mean over the labels of all processes
        loss += share.detach()
        accelerator.backward(share * N * K)  # accelerate divides by K, DDP by N
        optimizer.step()
        optimizer.zero_grad()
loss = accelerator.reduce(loss, "sum").item()"""

SET_BY_SCRIPT = frozenset(re.findall(r"(\w+)=", _TRAINER.split("{more}")[0])) | {"output_dir"}
"""Training arguments that the script sets itself. The values of the case are ignored for these."""

_NOISE = "NOISE = torch.Generator().manual_seed(0)\n"
_COUNTS = {
    "shifted": 'sum(label != -100 for label in row["labels"][1:])',
    "tokens": 'sum(label != -100 for label in row["labels"])',
    "rows": "1",
}


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
    subject, split = case.subject, case.split
    n = split.num_processes
    loop, imports = _LOOPS[case.stack]
    text = _HEAD.format(
        summary=_one_line(heading.summary),
        more=_more(heading),
        command=command(n),
        imports=imports.format(model_class=subject.model_class),
        b=split.per_device_train_batch_size,
        k=split.gradient_accumulation_steps,
        n=n,
        config=_mapping(subject.config),
        rows=_rows(subject),
        joined=_joined(subject),
        noise=_NOISE if any(one.values is None for row in subject.rows for one in row.values()) else "",
        fill=_fill(subject),
        count=_COUNTS[subject.counts],
        model_class=subject.model_class,
        model_type=subject.model_type,
        loop=loop.replace("{more}", _arguments(case.arguments)),
        tolerance=_TOLERANCE,
    )
    if text.count("\n") > MOST_LINES:
        raise TooLongError(f"the script would have {text.count(chr(10))} lines, more than {MOST_LINES}")
    return text


_LOOPS: Mapping[str, tuple[str, str]] = {
    "trainer": (
        _TRAINER,
        "from transformers import AutoConfig, PrinterCallback, Trainer, TrainingArguments, {model_class}",
    ),
    "accelerate": (
        _ACCELERATE,
        "from accelerate import Accelerator\nfrom transformers import AutoConfig, {model_class}",
    ),
}

STACKS = tuple(_LOOPS)
"""The stacks that have scripts."""


def command(processes: int, name: str = "repro.py") -> str:
    """The command that runs the script."""
    return f"python {name}" if processes == 1 else f"torchrun --nproc_per_node {processes} {name}"


def _more(heading: Heading) -> str:
    lines = [f"Seen with {', '.join(heading.versions)}. The reference computes each row alone, without accumulation."]
    lines += [f"Computed at {heading.source}."] if heading.source else []
    lines += [f"Known: {heading.known}"] if heading.known else []
    return "\n".join(map(_in_docstring, lines))


def _one_line(text: str) -> str:
    """The wrapped summary as part of a docstring."""
    return "\n".join(textwrap.wrap(_in_docstring(text), _WIDTH, break_long_words=False, break_on_hyphens=False)[:4])


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
    return "\n" + "\n".join(_wrapped(row, "    ") for row in found)


def _value(value: Field) -> str:
    if not value.shape and value.values is None:
        return "torch.randn((), generator=NOISE)"
    if value.shape:
        return f"torch.randn({', '.join(map(str, value.shape))}, generator=NOISE)"
    numbers = value.values
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
    return f"        if name in ({names},):\n            batch[name] = torch.cat(values)\n            continue\n"


def _arguments(arguments: Mapping[str, Any]) -> str:
    wrong = [name for name in arguments if not name.isidentifier() or keyword.iskeyword(name)]
    if wrong:
        raise ValueError(f"training_arguments: {wrong[0]!r} is not the name of an argument")
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"{_wrapped(given + ',', '    ')}\n" if given else ""


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
