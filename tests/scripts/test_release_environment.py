"""Dates and the choice of packages are pure; the environments themselves are `make releases`."""

from __future__ import annotations

import pytest
from release_environment import broken_by, day_after, requirements_of

PYLOCK = """\
[[packages]]
name = "transformers"
version = "4.49.0"
sdist = { url = "u", upload-time = 2025-02-17T15:19:03Z, size = 8610952 }
wheels = [{ url = "u", upload-time = 2025-02-17T15:18:58Z, size = 9970275 }]
"""


def test_the_day_of_a_release_ends_at_midnight() -> None:
    assert day_after(PYLOCK) == "2025-02-18T00:00:00Z"


def test_the_last_file_counts_across_the_end_of_a_year() -> None:
    assert day_after("upload-time = 2024-12-30T23:00:00.123456Z upload-time = 2024-12-31T00:10:00Z") == (
        "2025-01-01T00:00:00Z"
    )


def test_an_index_without_upload_times_is_said() -> None:
    with pytest.raises(ValueError, match="says no upload times"):
        day_after('[[packages]]\nname = "transformers"\n')


def test_a_requirement_of_an_extra_does_not_hold() -> None:
    lines = ["fsspec>=2023.1", "ruff; extra == 'dev'", "pywin32; sys_platform == 'win32'"]
    assert [requirement.name for requirement in requirements_of(lines)] == ["fsspec"]


def test_a_package_is_broken_by_an_older_version_of_what_it_requires() -> None:
    base = {
        "datasets": ["huggingface-hub<3,>=1.0", "numpy>=1.17"],
        "pandas": ["numpy>=1.26"],
        "torch": ["filelock>=4"],  # never installed again: it is bound instead
        "numpy": ["cython>=3"],  # itself laid over
    }
    layer = {"huggingface-hub": "0.28.1", "numpy": "2.2.3", "filelock": "3.17.0", "cython": "0.29"}
    assert broken_by(base, layer) == ["datasets"]


def test_names_are_compared_as_the_index_does() -> None:
    assert broken_by({"datasets": ["Huggingface_Hub>=1.0"]}, {"huggingface-hub": "0.28.1"}) == ["datasets"]
