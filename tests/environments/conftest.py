"""Packages of a small index, in the place of the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from accumcheck.environments import index
from tests.environments.local_index import TRAINER, LocalIndex, Release

PACKAGES = {
    "transformers": [
        Release("4.48.3", "2025-02-07T10:00:00Z", modules={"transformers/__init__.py": TRAINER}),
        Release("4.49.0", "2025-02-17T15:19:03Z", modules={"transformers/__init__.py": TRAINER}),
        Release("4.49.0.post1", "2025-02-18T15:00:00Z", yanked=True),
        Release("4.50.0", "2025-03-21T13:40:21Z", python=">=3.99"),  # none for any Python of today
        Release("4.50.1", "2025-03-25T09:00:00Z", requires=("accelerate<1.4",)),
        Release("4.50.1.post1", "2025-03-26T09:00:00Z", modules={"transformers/__init__.py": "import nowhere\n"}),
        Release("5.0.0rc1", "2025-12-01T09:00:00Z"),
        Release("5.0.0", None, modules={"transformers/__init__.py": TRAINER}),
    ],
    "accelerate": [
        Release("1.3.0", "2025-01-20T00:00:00Z"),
        Release("1.4.0", "2025-02-17T23:59:59Z"),
        Release("1.5.0", "2025-03-14T00:00:00Z"),
    ],
    "needy": [Release("1.0", "2025-02-20T00:00:00Z", requires=("accelerate<1.4", "numpy"))],
    "numpy": [Release("1.26.4", "2024-02-05T00:00:00Z"), Release("99.0", "2025-02-20T00:00:00Z")],
}


@pytest.fixture
def local_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIndex]:
    """A running index that uv uses, with a cache of its own; what is built goes to ``tmp_path / "shelf"``."""
    served = LocalIndex(PACKAGES)
    monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "shelf"))
    for name in ("UV_OFFLINE", "UV_INDEX", "UV_FIND_LINKS", "UV_EXCLUDE_NEWER", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    index._index_settings.cache_clear()
    yield served
    index._index_settings.cache_clear()
    served.close()
