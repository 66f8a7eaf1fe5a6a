"""What --transformers and --with may say."""

from __future__ import annotations

import pytest
from packaging.version import Version

from accumcheck.environments.request import Pin, Request, parse_request, read_wanted
from accumcheck.errors import ConfigError


def no_index(package: str) -> Version:
    raise AssertionError(f"the index was asked for {package}")


def faults(transformers: str | None, *others: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_request(transformers, others, latest=no_index)
    return str(caught.value).splitlines()


def test_nothing_asked_is_no_request() -> None:
    assert parse_request(None, [], latest=no_index) is None


def test_transformers_stands_first_and_names_and_versions_are_normal() -> None:
    found = parse_request("v4.49", ["trl == 0.16.0", "Accelerate==1.4.0"], latest=no_index)
    assert found == Request((Pin("transformers", "4.49"), Pin("accelerate", "1.4.0"), Pin("trl", "0.16.0")))
    assert str(found) == "transformers 4.49, accelerate 1.4.0, trl 0.16.0"


def test_the_order_of_the_command_line_does_not_matter() -> None:
    one = parse_request(None, ["trl==0.16.0", "transformers==4.49.0"], latest=no_index)
    assert one == parse_request("4.49.0", ["trl==0.16.0"], latest=no_index)


def test_without_transformers_all_else_stays_as_it_is_here() -> None:
    found = parse_request(None, ["accelerate==1.4.0"], latest=no_index)
    assert found == Request((Pin("accelerate", "1.4.0"),))
    assert found.keeps_what_is_here
    assert not Request((Pin("transformers", "4.49.0"), *found.pins)).keeps_what_is_here


def test_latest_is_asked_of_the_index() -> None:
    found = parse_request("latest", ["trl==latest"], latest=lambda name: Version(f"{len(name)}.0"))
    assert found == Request((Pin("transformers", "12.0"), Pin("trl", "3.0")))


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = faults("foo", "torch==2.6", "trl>=0.16", "accumcheck==1.0", "==", "accelerate==x")
    assert [line.partition(": ")[0] for line in sorted(found)] == [
        "--transformers foo",
        "--with ==",
        "--with accelerate==x",
        "--with accumcheck==1.0",
        "--with torch==2.6",
        "--with trl>=0.16",
    ]
    text = "\n".join(found)
    assert "--transformers foo: not a version; give a release, for example 4.49.0, or latest" in text
    assert "torch cannot be changed: every environment shares the one installed here" in text
    assert "expected one exact release, name==version, for example --with 'trl==1.16.0'" in text


def test_a_name_alone_and_extras_are_told_what_to_write() -> None:
    found: list[str] = []
    assert read_wanted("--to", ["trl", "trl[vlm,quantization]==1.16.0", "trl>=1.0", "trl[vlm]>=1.0"], found) == []
    name, extras, a_range, both = found
    assert name.endswith("; of the package trl: --to trl==VERSION")
    assert extras == (
        "--to trl[vlm,quantization]==1.16.0: extras cannot be given; write 'trl==1.16.0': "
        "what [quantization,vlm] adds stays as it is installed"
    )
    assert "for example --to 'trl==1.16.0'; a range would" in a_range
    assert "for example --to 'trl==1.16.0'; a range would" in both


def test_a_release_older_than_the_workers_know_is_refused() -> None:
    assert faults("4.44.2") == ["--transformers 4.44.2: accumcheck runs under transformers 4.45.0 and later"]


def test_two_versions_of_one_package_are_refused_and_the_same_twice_is_not() -> None:
    assert faults("4.49.0", "transformers==4.48.0") == [
        "--with transformers==4.48.0: transformers is already named by --transformers 4.49.0; remove one of them"
    ]
    assert parse_request("4.49.0", ["transformers==4.49.0"], latest=no_index) is not None
