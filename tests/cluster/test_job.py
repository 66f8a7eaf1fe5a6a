"""Names, time limits, and how a machine joins."""

from __future__ import annotations

import pytest

from accumcheck.cluster.job import job_name, joining, longest_seconds
from accumcheck.errors import ConfigError
from tests.cluster.checks import check_of


def test_a_name_is_made_of_the_files() -> None:
    assert job_name(None, "LLaVA 1.5_seed") == "accumcheck-llava-1-5-seed"
    assert job_name(None, "x" * 60) == "accumcheck-" + "x" * 29
    assert job_name("mine", "check") == "mine"


@pytest.mark.parametrize("name", ["Mine", "1st", "a-", "a_b", "a b", "a\n#SBATCH --wrap", "x" * 41, ""])
def test_a_name_that_a_scheduler_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected at most 40 small letters, digits and dashes"):
        job_name(name, "check")


def test_the_longest_time_is_that_of_every_split_and_the_reference_and_the_imports() -> None:
    assert longest_seconds(check_of(["1x4x1", "1x1x4"], "{timeout: 100}")) == 3 * 100 + 600


def test_one_machine_joins_nobody() -> None:
    assert joining(1, "0", "a:1") == []
