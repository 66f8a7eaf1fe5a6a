"""What the index has, asked of a real uv against an index whose whole content is in conftest.py."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from packaging.version import Version

from accumcheck.environments import index
from accumcheck.environments.processes import Processes
from accumcheck.environments.request import Pin
from accumcheck.errors import ConfigError, LaunchError
from tests.environments.local_index import LocalIndex


def test_releases_come_oldest_first_without_yanked_pre_releases_and_those_for_another_python(
    local_index: LocalIndex,
) -> None:
    found = index.published_versions("transformers")
    assert list(map(str, found)) == ["4.48.3", "4.49.0", "4.50.1", "4.50.1.post1", "5.0.0"]


def test_the_ends_belong_to_the_range_and_pre_releases_come_on_request(local_index: LocalIndex) -> None:
    found = index.published_versions(
        "transformers", at_least=Version("4.50.1"), at_most=Version("5.0.0"), prereleases=True
    )
    assert list(map(str, found)) == ["4.50.1", "4.50.1.post1", "5.0.0rc1", "5.0.0"]


def test_a_range_without_a_release_is_empty_but_a_package_that_is_not_there_is_an_error(
    local_index: LocalIndex,
) -> None:
    assert index.published_versions("transformers", at_least=Version("6")) == []
    with pytest.raises(ConfigError, match="nowhere-to-be-found: the package index has no such package"):
        index.published_versions("nowhere-to-be-found")


def test_the_latest_is_no_pre_release(local_index: LocalIndex) -> None:
    assert index.latest("transformers") == Version("5.0.0")
    with pytest.raises(ConfigError, match="has no such package"):
        index.latest("nowhere-to-be-found")


def test_a_release_has_the_upload_time_of_its_files(local_index: LocalIndex) -> None:
    assert index.day_of(Pin("transformers", "4.49.0"), Processes()) == datetime(
        2025, 2, 17, 15, 19, 3, tzinfo=timezone.utc
    )


def test_a_yanked_release_can_be_named(local_index: LocalIndex) -> None:
    assert index.day_of(Pin("transformers", "4.49.0.post1"), Processes()).day == 18


@pytest.mark.parametrize(
    ("version", "nearest"),
    [("4.49.7", "4.49.0 and 4.50.1"), ("4.2.0", "4.48.3"), ("7.0", "5.0.0"), ("4.50.0", "4.49.0 and 4.50.1")],
)
def test_a_release_that_is_not_there_is_answered_with_the_nearest(
    local_index: LocalIndex, version: str, nearest: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        index.day_of(Pin("transformers", version), Processes())
    assert str(caught.value).startswith(f"transformers=={version}: the package index has no such release for Python 3.")
    assert str(caught.value).endswith(f"; nearest: {nearest}")


def test_an_index_without_upload_times_is_said(local_index: LocalIndex) -> None:
    with pytest.raises(LaunchError, match="gives no upload times"):
        index.day_of(Pin("transformers", "5.0.0"), Processes())


@pytest.mark.parametrize("setting", [("UV_OFFLINE", "1"), ("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")])
def test_no_network_is_not_taken_for_no_release(
    local_index: LocalIndex, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]
) -> None:
    monkeypatch.setenv(*setting)
    with pytest.raises(LaunchError, match="the package index could not be reached") as caught:
        index.day_of(Pin("transformers", "4.49.0"), Processes())
    assert "accumcheck environments list" in str(caught.value)
    assert caught.value.exit_code == 3


def test_the_index_that_pip_is_set_to_use_is_used_where_uv_has_none(
    local_index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", local_index.url)
    assert index.latest("accelerate") == Version("1.5.0")


@pytest.mark.parametrize(
    ("moment", "end"),
    [("2025-02-17T15:19:03", "2025-02-18T00:00:00Z"), ("2024-12-31T00:00:00", "2025-01-01T00:00:00Z")],
)
def test_a_day_ends_at_midnight(moment: str, end: str) -> None:
    assert index.end_of_day(datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)) == end


def test_the_last_of_several_files_counts() -> None:
    lock = "upload-time = 2024-12-30T23:00:00.123456Z upload-time = 2024-12-31T00:10:00Z"
    assert index.upload_time(lock) == datetime(2024, 12, 31, 0, 10, tzinfo=timezone.utc)
