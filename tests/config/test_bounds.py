"""Every number has an upper bound that is told, and no text or file makes ``validate`` hang."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from accumcheck.config.devices import AssumedDevices
from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.config.plan import make_plan
from accumcheck.config.show import plan_as_text
from accumcheck.errors import ConfigError
from tests.config.clock import limit

MODEL = "model: {config: {model_type: llama}}\n"
SMALL = MODEL + "global_batch_size: 8\nsplits: [1x8x1]\n"
HANGS = 30
"""Seconds after which something hangs; what is tested takes less than one, on a machine with nothing else to do."""


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with limit(HANGS):
        yield


def load(folder: Path, text: str, *overrides: str) -> CheckConfig:
    (folder / "check.yaml").write_text(text, encoding="utf-8")
    return load_config(folder / "check.yaml", overrides)


def errors_of(folder: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(folder, text, *overrides)
    return str(raised.value).replace(f"{folder}/check.yaml", "check.yaml").splitlines()


@pytest.mark.parametrize(
    ("key", "most", "range_"),
    [
        ("steps", 100_000, "a whole number from 1 to 100000"),
        ("trajectory_steps", 1_000_000, "a whole number from 0 to 1000000"),
        ("seed", 4_294_967_295, "a whole number from 0 to 4294967295"),
        ("data.synthetic.min_length", 10_000_000, "a whole number from 2 to 10000000"),
        ("data.synthetic.max_length", 10_000_000, "a whole number from 2 to 10000000"),
        ("data.synthetic.images_per_sample", 1_000, "a whole number from 0 to 1000"),
        ("data.max_length", 10_000_000, "a whole number from 2 to 10000000"),
        ("data.epochs", 1_000, "a whole number from 1 to 1000"),
        ("data.samples", 10_000_000, "a whole number from 2 to 10000000"),
        ("launcher.timeout", 2_592_000, "a number of seconds from 1 to 2592000"),
        ("launcher.nnodes", 10_000, "a whole number from 1 to 10000"),
        ("launcher.node_rank", 9_999, "a whole number from 0 to 9999"),
        ("tolerances.loss", 1, "auto or a relative difference from 1e-16 to 1"),
    ],
)
def test_a_number_above_its_bound_is_told_with_its_range(tmp_path: Path, key: str, most: int, range_: str) -> None:
    own = f"--set {key}={{}}: {key}: found {{}}; expected {range_}"
    for above in (str(most + 1), "1e20", "1" + "0" * 30):
        assert own.format(above, above) in errors_of(tmp_path, SMALL, f"{key}={above}")
    # the most that it may be is refused for other reasons only, for example that there are too many tokens
    told = errors_of(tmp_path, SMALL, f"{key}={most}", "stack=3")
    assert own.format(most, most) not in told


@pytest.mark.parametrize("split", ["65537x1x1", "1x1000001x1", "1x1x1000001", "1x1x" + "9" * 2200, "1" * 2200])
def test_a_split_above_its_bounds_is_told_with_them(tmp_path: Path, split: str) -> None:
    (error,) = errors_of(tmp_path, MODEL + f"global_batch_size: 8\nsplits: [{split}]\n")
    assert error.startswith("check.yaml:3: splits[0]: found ")
    assert error.endswith("expected n x b x k, for example 4x16x2, with n from 1 to 65536, b and k from 1 to 1000000")


def test_a_number_of_a_split_above_its_bound_is_told_with_its_range(tmp_path: Path) -> None:
    text = MODEL + f"global_batch_size: 8\nsplits: [{{n: 65537, b: {'9' * 2200}, k: 1}}]\n"
    digits = "9" * 57 + "..."
    assert errors_of(tmp_path, text) == [
        "check.yaml:3: splits[0].n (splits[0].num_processes): found 65537; expected a whole number from 1 to 65536",
        f"check.yaml:3: splits[0].b (splits[0].per_device_train_batch_size): found {digits}; expected a whole number "
        "from 1 to 1000000",
    ]


@pytest.mark.parametrize("splits", ["auto", "[1x1x1]"])
def test_a_global_batch_above_its_bound_is_told_before_anything_is_computed_of_it(tmp_path: Path, splits: str) -> None:
    text = MODEL + f"global_batch_size: {10**18}\nsplits: {splits}\ndata: {{epochs: 2}}\n"
    assert errors_of(tmp_path, text) == [
        f"check.yaml:2: global_batch_size: found {10**18}; expected a whole number from 1 to 1000000"
    ]


@pytest.mark.parametrize("batch", [720_720, 999_983, 1_000_000])  # most divisors, a prime, the bound
def test_the_largest_global_batches_are_planned(tmp_path: Path, batch: int) -> None:
    check = load(tmp_path, MODEL + f"global_batch_size: {batch}\nsplits: auto\ndata: {{epochs: 1}}\n")
    assert all(split.global_batch_size == batch for split in make_plan(check, 8).splits)


def test_at_most_256_splits(tmp_path: Path) -> None:
    of_720720 = [f"{n}x{b}x{720720 // (n * b)}" for n in range(1, 20) for b in range(1, 60) if 720720 % (n * b) == 0]
    assert len(of_720720) > 256
    text = MODEL + "global_batch_size: 720720\nsteps: 1\nsplits: "
    assert len(load(tmp_path, f"{text}[{', '.join(of_720720[:256])}]").splits or ()) == 256
    assert errors_of(tmp_path, f"{text}[{', '.join(of_720720[:257])}]") == [
        "check.yaml:4: splits: found a list; expected auto or a list of 1 to 256 splits, for example [1x8x1, 2x2x2]"
    ]


@pytest.mark.parametrize(
    ("batch", "more", "expected"),
    [
        (1000, "steps: 10001", "steps: 10001 steps x 1000 samples = 10001000 samples; expected at most 10000000"),
        (1000, "data: {epochs: 1000, samples: 10001}", "data.epochs: 1000 epochs x 10001 samples = 10001000 samples; "
         "expected at most 10000000"),
        (1000, "data: {synthetic: {max_length: 333334}}", "global_batch_size: 3000 samples x max_length 333334 = "
         "1000002000 tokens of synthetic data; expected at most 1000000000"),
    ],
)  # fmt: skip
def test_what_all_steps_come_to_is_bounded(tmp_path: Path, batch: int, more: str, expected: str) -> None:
    (error,) = errors_of(tmp_path, MODEL + f"global_batch_size: {batch}\nsplits: auto\n{more}\n")
    assert error.partition(": ")[2] == expected


def test_what_all_steps_come_to_may_be_as_much_as_that(tmp_path: Path) -> None:
    text = MODEL + "global_batch_size: 1000\nsplits: auto\nsteps: 10000\ndata: {synthetic: {max_length: 100}}\n"
    assert load(tmp_path, text).samples_trained == 10_000_000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("steps", value) for value in ("true", "3.0", "1e3", ".nan", ".inf", "'3'", "0x10", "1e99999", "-1", "")),
        *(("launcher.timeout", value) for value in ("true", ".nan", "-.inf", "1e-320", "0", "1e99999", "'60'", "")),
        *(("tolerances.loss", value) for value in ("true", ".nan", ".inf", "1e-320", "0", "-1e-3", "1.5", "AUTO")),
        *(("data.synthetic.prompt_fraction", value) for value in ("[.nan, 0.5]", "[0, 1]", "[0, true]", "[0]", "[]")),
        *(("global_batch_size", value) for value in ("true", "8.0", "8e0", "auto", "[8]", "{}", "")),
        *(("training_arguments.a", value) for value in (".nan", "[.inf]", "1e99999", str(2**64), "9" * 999)),
    ],
)  # fmt: skip
def test_what_is_not_a_number_of_that_kind_is_refused_in_a_file_and_on_the_command_line(
    tmp_path: Path, key: str, value: str
) -> None:
    (error,) = errors_of(tmp_path, SMALL, f"{key}={value}")
    assert f"{key}" in error
    assert "; expected " in error
    *sections, name = key.split(".")
    lines = [f"{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    text = SMALL.replace("global_batch_size: 8\n", "") if key == "global_batch_size" else SMALL
    (error,) = errors_of(tmp_path, text + "\n".join([*lines, f"{'  ' * len(sections)}{name}: {value}"]))
    assert error.startswith("check.yaml:")
    assert "; expected " in error


@pytest.mark.parametrize("value", ["18446744073709551615", "-9223372036854775808", "1e300", "[1, {b: null}]"])
def test_numbers_of_64_bits_are_passed_through(tmp_path: Path, value: str) -> None:
    assert "a" in load(tmp_path, SMALL, f"training_arguments.a={value}").training_arguments


TOO_LONG = "longer than 262144 bytes, which is the limit; give the path of a YAML file"
TOO_MANY = "more than 5000 values; each repetition of a YAML anchor counts; write fewer"
TOO_DEEP = "nested too deeply; write at most 50 levels"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 10_000_000, f"check.yaml: {TOO_LONG}"),
        (SMALL + "training_arguments: {a: [" + "1, " * 300_000, f"check.yaml: {TOO_LONG}"),
        (SMALL + "training_arguments: {a: [" + "1," * 50_000, f"check.yaml:4: {TOO_MANY}"),
        (SMALL + "training_arguments: {" + "a,b," * 50_000, f"check.yaml:4: {TOO_MANY}"),
        (SMALL + "training_arguments: {a: [" + "[]," * 50_000, f"check.yaml:4: {TOO_MANY}"),
        (SMALL + "training_arguments: {a: " + "[" * 200_000, f"check.yaml:4: {TOO_DEEP}"),
        (SMALL + "training_arguments: " + "{a: " * 50_000, f"check.yaml:4: {TOO_DEEP}"),
        (SMALL + "training_arguments:\n  a:\n    " + "- " * 50_000, f"check.yaml:6: {TOO_DEEP}"),
        (SMALL + "training_arguments:\n  " + "? " * 50_000, f"check.yaml:5: {TOO_DEEP}"),
        (SMALL + 'seed: "\\UFFFFFFFF"', "check.yaml: not valid YAML: "),
        (f"%YAML 1.{'9' * 9999}\n---\n{SMALL}", "check.yaml: not valid YAML: "),
    ],
)  # fmt: skip
def test_a_text_that_is_too_much_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    (error,) = errors_of(tmp_path, text)
    assert error.startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        SMALL + "seed: " + "x " * 120_000,
        SMALL + "\n".join(f"k{i}: 1" for i in range(4900)),
        SMALL + "severity: {" + ", ".join(f"token-mean{i}: warn" for i in range(4900)) + "}",
        SMALL.replace("[1x8x1]", "[" + "1x9, " * 4900 + "]"),
        SMALL.replace("[1x8x1]", "[{" + ", ".join(f"k{i}: 1" for i in range(4900)) + "}]"),
        "#\n" * 130_000,
        "%A b\n" * 50_000,
        'a: "' + "\n" * 260_000,
        "a: >\n" + " x\n" * 80_000,
        "!" * 260_000,
    ],
    ids=lambda text: repr(text[-20:]),
)
def test_no_text_takes_long_and_few_errors_are_printed(tmp_path: Path, text: str) -> None:
    assert 1 <= len(errors_of(tmp_path, text)) <= 101


def test_many_errors_are_counted(tmp_path: Path) -> None:
    *lines, last = errors_of(tmp_path, SMALL + "\n".join(f"k{i}: 1" for i in range(500)))
    assert lines[0].startswith("check.yaml:4: k0: unknown key; ")
    assert lines[99].startswith("check.yaml:103: k99: unknown key; ")
    assert last == "check.yaml: 400 more errors; fix these first"


def test_a_plan_of_as_many_values_as_are_read_is_printed(tmp_path: Path) -> None:
    text = SMALL + "training_arguments:\n" + "".join(f"  k{i}: 1\n" for i in range(4900))
    plan = make_plan(load(tmp_path, text), 1)
    assert "k4899: 1" in plan_as_text(plan, AssumedDevices("cpu", 1, "given"), "check.yaml")


@pytest.mark.parametrize("argument", ["a" + ".a" * 10_000 + "=1", "steps=" + "1" * 100_000, "x" * 100_000 + "=1", "="])
def test_an_override_that_is_too_much_is_refused_in_short(tmp_path: Path, argument: str) -> None:
    (error,) = errors_of(tmp_path, SMALL, argument)
    assert error.startswith("--set ")
    assert len(error) < 1000


def test_text_holds_no_control_characters_and_no_half_of_a_character(tmp_path: Path) -> None:
    text = SMALL + 'training_arguments: {a: "\\0", b: "\\ud83d", "c\\e": 1, d: "\\ud83d\\ude00"}'
    assert errors_of(tmp_path, text) == [
        "check.yaml:4: training_arguments.a: found '\\x00', which has a control character or half a character; "
        "remove it",
        "check.yaml:4: training_arguments.b: found '\\ud83d', which has a control character or half a character; "
        "remove it",
        "check.yaml:4: training_arguments: found the key 'c\\x1b', which has a control character or half a character; "
        "remove it",
    ]
    check = load(tmp_path, SMALL + 'training_arguments: {d: "\\ud83d\\ude00"}')  # as JSON writes it
    assert check.training_arguments == {"d": "\N{GRINNING FACE}"}


# --- files ------------------------------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    return str(raised.value)


def test_only_a_regular_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # since the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name in ("pipe", "socket", "/dev/zero", "/dev/null"):
            assert refusal(Path(name)) == f"{name}: this is not a regular file; give the path of a YAML file"
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert refusal(tmp_path / "link").endswith("/link: this is not a regular file; give the path of a YAML file")


def test_links_are_followed_to_a_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real.yaml")
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "gone.yaml")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert load_config(tmp_path / "link.yaml") == load_config(tmp_path / "real.yaml")
    dangling = refusal(tmp_path / "dangling.yaml")
    assert dangling.endswith(": the link leads to no file; give the path of a YAML file")
    assert ": cannot be read: " in refusal(tmp_path / "loop.yaml")


@pytest.mark.parametrize("name", ["\0", "x" * 5000, "no\nsuch"])
def test_a_name_that_is_not_one_of_a_file_is_refused_in_one_line(name: str) -> None:
    assert len(refusal(Path(name)).splitlines()) == 1


NO_MODEL = "global_batch_size: 8\nsplits: [1x8x1]\n"


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling", "/dev/zero", "x" * 5000, "a\nb"])
@pytest.mark.parametrize(
    "keys",
    [
        SMALL + 'data: {jsonl: "FILE"}\n',
        NO_MODEL + 'stack: script\nscript: {path: "FILE"}\n',
        NO_MODEL + 'stack: callable\ncallable: "FILE.py:f"\n',
        NO_MODEL + 'stack: llamafactory\nllamafactory: {train: "FILE.yaml"}\n',
    ],
)
def test_a_file_that_a_key_names_is_a_regular_one(tmp_path: Path, keys: str, kind: str) -> None:
    for ending in ("", ".py", ".yaml"):
        os.mkfifo(tmp_path / f"pipe{ending}")
        (tmp_path / f"folder{ending}").mkdir()
        (tmp_path / f"dangling{ending}").symlink_to(tmp_path / "gone")
    (error,) = errors_of(tmp_path, keys.replace("FILE", kind.replace("\n", "\\n")))
    assert error.startswith("check.yaml:")
    assert "file" in error.lower()
