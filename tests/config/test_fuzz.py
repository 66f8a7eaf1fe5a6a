"""Whatever is read as a configuration: it is valid and can be run, or it is refused with places; nothing else, soon."""

from __future__ import annotations

import json
import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accumcheck.config.aliases import ALIASES, ELSEWHERE
from accumcheck.config.devices import AssumedDevices
from accumcheck.config.faults import Place
from accumcheck.config.load import load_config, read_config
from accumcheck.config.model import CheckConfig
from accumcheck.config.plan import make_plan
from accumcheck.config.show import plan_as_dict, plan_as_text
from accumcheck.config.values import SplitKeys
from accumcheck.declare.keys import Declared, Number, Section, keys_of
from accumcheck.errors import ConfigError
from accumcheck.record.split import SPLIT_ALIASES
from accumcheck.stacks.registry import STACKS
from tests.config.clock import limit
from tests.drawn import examples

HANGS = 30
"""Seconds after which one example hangs: it takes a few milliseconds."""

FEW = settings(
    max_examples=examples(150), derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)

VALID = """\
model:
  config: {model_type: llama, hidden_size: 32, rope: {theta: 10000.0}}
  dtype: bf16
data:
  synthetic: {min_length: 8, max_length: 16, prompt_fraction: [0.0, 0.5]}
global_batch_size: 8
steps: 2
splits: [1x8x1, {n: 2, b: 2, k: 2}]
training_arguments: {optim: sgd, adam_beta1: 0.9}
tolerances: {loss: 0.001, gradient: auto}
severity: {microbatch-mean*k: warn}
launcher: {device: cpu, timeout: 60}
"""

Path_ = tuple[str, ...]
PROGRAM = """\
stack: callable
callable: my_package.train:build
callable_arguments: {size: 2}
global_batch_size: 8
splits: [1x8x1, 2x2x2]
"""
bases = st.sampled_from([VALID, VALID, PROGRAM])

_PLACED = re.compile(r"(check\.yaml(:\d+)?|--set .*|'--set .*'): .+")


def checked(text: str | bytes, *overrides: str) -> None:
    """Read it, and see that it is refused in the right words, or is valid and can be run.

    Raises:
        AssertionError: it is neither.
    """
    with limit(HANGS):
        try:
            if isinstance(text, bytes):
                check = of_file(text, *overrides)
            else:
                check = read_config(text, Place("check.yaml"), Path("/nowhere"), overrides)
        except ConfigError as error:
            lines = str(error).splitlines()
            assert lines
            assert all(_PLACED.fullmatch(line) for line in lines), lines
            return
        can_run(check)
        assert is_printed(check)


def of_file(content: bytes, *overrides: str) -> CheckConfig:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.yaml"
        path.write_bytes(content)
        try:
            return load_config(path, overrides)
        except ConfigError as error:
            raise ConfigError(str(error).replace(f"{folder}/", "")) from error


def can_run(check: CheckConfig) -> None:
    """What follows from the contract, in words of its own."""
    batch = check.global_batch_size
    assert type(batch) is int
    assert 1 <= batch <= 10**6
    for split in check.splits or ():
        sizes = (split.num_processes, split.per_device_train_batch_size, split.gradient_accumulation_steps)
        assert all(type(size) is int and size >= 1 for size in sizes)
        assert math.prod(sizes) == batch
    assert check.splits is None or len(set(check.splits)) == len(check.splits) >= 1
    assert type(check.steps) is int
    assert 1 <= check.steps * batch <= 10**7 + 10**6
    assert 1 <= check.launcher.timeout < math.inf
    assert 0 <= check.launcher.node_rank < check.launcher.nnodes
    assert check.launcher.nnodes == 1 or check.launcher.rdzv_endpoint
    assert 0 <= check.seed < 2**32
    for tolerance in (check.tolerances.loss, check.tolerances.grad_norm, check.tolerances.gradient):
        assert tolerance is None or 0 < tolerance <= 1
    programs = {stack.name: getattr(check, stack.own[0].name) for stack in STACKS if stack.own}
    assert programs.get(check.stack, "not a program") is not None
    if check.stack not in programs:
        assert (check.model.name_or_path is None) != (check.model.config is None)
        sources = (check.data.synthetic, check.data.jsonl, check.data.dataset)
        assert sum(source is not None for source in sources) == 1
        if check.data.synthetic is not None:
            assert 2 <= check.data.synthetic.min_length <= check.data.synthetic.max_length <= 10**7
    json.dumps(check.to_dict(), allow_nan=False)  # what the workers are sent


def is_printed(check: CheckConfig) -> bool:
    """Whether the plan can be shown, and reads as the same configuration."""
    devices = AssumedDevices("cpu", 2, "given")
    plan = make_plan(check, devices.count)
    json.dumps(plan_as_dict(plan, devices), allow_nan=False)
    text = plan_as_text(plan, devices, "check.yaml")
    text.encode("utf-8")
    return read_config(text, Place("again.yaml"), Path("/nowhere")) == plan.config == restored(plan.config)


def restored(check: CheckConfig) -> CheckConfig:
    return CheckConfig.from_dict(json.loads(json.dumps(check.to_dict())))


# --- what is tried ----------------------------------------------------------------------------------------------------


def names(section: type[Section]) -> Iterator[str]:
    for name, declared in keys_of(section).items():
        yield name
        if declared.section is not None:
            yield from names(declared.section)


KEYS = sorted({*names(CheckConfig), *names(SplitKeys), *SPLIT_ALIASES, *ELSEWHERE, *(a[-1] for a in ALIASES), "x", ""})
WORDS = [
    *("auto", "1x8x1", "2x2x2", "4x16x2", "0x1x1", "token-mean", "token-mean/n*k", "float32", "pretrained", "equal"),
    *("trainer", "accelerate", "script", "callable", "trl-sft", "llamafactory", "my.module:f", "./x", "~", "~no/x"),
    *("/dev/zero", ".", "a.py:f", "x.yaml", "host:1", "warn", "fail", "off", "\0", "\x1b[31m", "\ud800", "e\u0301"),
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 20),
    st.sampled_from([8, 64, 10**6, 10**18, 2**64, -(2**63) - 1, 10**99, 10**4000]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=4)), inner)
    ),
    max_leaves=8,
)


def plausible(declared: Declared) -> st.SearchStrategy[Any]:
    """Values of which most are allowed, and those next to a bound."""
    number = declared.find(Number)
    if number is not None:
        return st.sampled_from([number.lowest, number.highest, number.lowest - 1, number.highest + 1, 2, 8, 16])
    if declared.words or declared.kind is bool:
        return st.sampled_from(declared.words or (True, False))
    return st.sampled_from([*WORDS, {}, {"x": 1}, {"model_type": "llama"}, ["1x8x1"], ["2x4x1", "1x8x1"], ["a", 1.5]])


def changes_of(
    kind: Callable[[Declared], st.SearchStrategy[Any]], section: type[Section] = CheckConfig, above: Path_ = ()
) -> Iterator[st.SearchStrategy[tuple[Path_, Any]]]:
    """For every key, its path with a value of that kind."""
    for name, declared in keys_of(section).items():
        if declared.section is None:
            yield st.tuples(st.just((*above, name)), kind(declared))
        else:
            yield from changes_of(kind, declared.section, (*above, name))


OTHERS = [
    ("model",),
    ("data",),
    ("launcher",),
    ("splits", "0"),
    ("training_arguments", "x"),
    ("model", "config", "x"),
    *ALIASES,
]
any_changes = st.lists(
    st.one_of(st.tuples(st.sampled_from(OTHERS), values), *changes_of(lambda _: values)), min_size=1, max_size=2
)
plausible_changes = st.lists(st.one_of(*changes_of(plausible)), min_size=1, max_size=3)


def written(value: Any) -> str:
    """One value as YAML in one line, which JSON is but for numbers that are none."""
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {written(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return json.dumps(value)


def put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        inner = tree.get(name)
        if not isinstance(inner, dict):
            inner = tree[name] = {}
        tree = inner
    tree[path[-1]] = value


@FEW
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=6))
def test_any_values_under_any_keys(tree: dict[str, Any]) -> None:
    checked(written(tree))


@settings(FEW, max_examples=examples(400))
@given(bases, st.one_of(any_changes, plausible_changes))
def test_a_valid_configuration_in_which_some_keys_were_changed(base: str, changes: list[tuple[Path_, Any]]) -> None:
    tree = yaml.safe_load(base)
    for path, value in changes:
        put(tree, path, value)
    checked(written(tree))


@settings(FEW, max_examples=examples(400))
@given(bases, st.one_of(any_changes, plausible_changes))
def test_a_valid_configuration_with_any_overrides(base: str, changes: list[tuple[Path_, Any]]) -> None:
    checked(base, *(f"{'.'.join(path)}={written(value)}" for path, value in changes))


@FEW
@given(st.text(max_size=40))
def test_any_text_as_an_override(argument: str) -> None:
    checked(VALID, argument)


@FEW
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(VALID)), st.integers(0, 12), st.one_of(st.binary(max_size=4), st.sampled_from(
                [b"[", b"{", b": ", b"- ", b"&a ", b"*a", b"!!int ", b"<<: ", b"\n", b"'", b'"', b"\t", b"? ", b"|\n"])
            ),
        ), min_size=1, max_size=4,
    )
)  # fmt: skip
def test_a_file_in_which_some_bytes_were_changed(changes: list[tuple[int, int, bytes]]) -> None:
    content = VALID.encode()
    for start, dropped, added in changes:
        content = content[:start] + added + content[start + dropped :]
    checked(content)


@FEW
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_any_bytes_as_a_file(content: bytes) -> None:
    checked(content)


@settings(FEW, max_examples=20)
@given(st.sampled_from(["[", "{a: ", "- ", "[1, ", "{a, b, ", "1", "x ", "\n", "&a [*a, ", "a: &a {b: ", '"\\x41']),
       st.integers(1, 200_000), st.booleans())  # fmt: skip
def test_any_size_of_a_file(part: str, times: int, inside: bool) -> None:
    text = part * (times // len(part))
    checked((f"{VALID}training_arguments: {text}" if inside else text).encode())


@pytest.mark.parametrize("base", [VALID, PROGRAM])
def test_the_changes_start_from_a_valid_configuration(base: str) -> None:
    checked(base)
    assert read_config(base, Place("check.yaml"), Path("/nowhere")).global_batch_size == 8


def test_what_hangs_is_ended() -> None:
    with pytest.raises(TimeoutError, match=r"not finished after 0\.05 s"), limit(0.05):
        time.sleep(5)
