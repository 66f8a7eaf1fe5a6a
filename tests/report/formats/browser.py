"""A real browser, where there is one."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

_FLAGS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "hide-scrollbars", "allow-file-access-from-files"),
)


def browse(folder: Path, *arguments: str) -> str:
    """What the browser prints; its profile is kept in the folder."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [str(CHROMIUM), *(f"--{flag}" for flag in _FLAGS), f"--user-data-dir={folder / 'profile'}", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def asked(folder: Path, page: Path, script: str, *arguments: str) -> Any:
    """What a script finds in a page when it has loaded: JSON, which it makes its title.

    The page's policy runs no other script than its own, so the browser is given a copy without the policy.
    """
    loaded = f'<script>addEventListener("load", () => {{ {script} }});</script>'
    copy = folder / "asked.html"
    copy.write_text(re.sub(r"<meta http-equiv[^>]*>", lambda _: loaded, page.read_text(encoding="utf-8")))
    title = re.search(r"<title>(.*?)</title>", browse(folder, *arguments, "--dump-dom", copy.as_uri()))
    assert title is not None
    return json.loads(html.unescape(title[1]))
