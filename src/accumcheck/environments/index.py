"""Query the package index through uv, so that uv's settings for indexes, mirrors and credentials apply.

An index that is set for pip (``PIP_INDEX_URL``, pip.conf) is passed to uv, unless the environment sets one for uv.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import cache

from packaging.version import Version

from accumcheck.environments.processes import Processes
from accumcheck.environments.request import Pin
from accumcheck.errors import ConfigError, LaunchError

_UPLOAD_TIME = re.compile(r"upload-time = ([0-9T:.-]+)Z")
_VERSION = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
_UNSATISFIABLE = "No solution found"
_OFFLINE = ("network was disabled", "Failed to fetch", "error sending request", "dns error", "Could not connect")
_UV_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CONFIG_FILE")


class UnreachableError(LaunchError):
    """The package index could not be reached, so nothing is known about any release."""


def published_versions(
    package: str,
    *,
    at_least: Version | None = None,
    at_most: Version | None = None,
    prereleases: bool = False,
    processes: Processes | None = None,
) -> list[Version]:
    """The releases that can be installed here, oldest first.

    Yanked releases and releases without a file for this Python are left out; so are pre-releases, unless requested. uv
    cannot list releases, so each one is queried as the oldest one above the last. This takes about 0.1 s per release,
    so give both ends of the range.

    Raises:
        ConfigError: the index has no such package.
        LaunchError: the index could not be reached.
    """
    processes = processes or Processes()
    above = f">={at_least}" if at_least is not None else ">=0"
    below = f",<={at_most}" if at_most is not None else ""
    found: list[Version] = []
    while True:
        # != is needed because > excludes the post-releases of a version
        bound = f">={found[-1]},!={found[-1]}" if found else above
        version = _choose(f"{package}{bound}{below}", processes, lowest=True, prereleases=prereleases)
        if version is None:
            break
        found.append(version)
    if not found and at_least is at_most is None:
        raise ConfigError(f"{package}: the package index has no such package")
    return found


def latest(package: str, *, processes: Processes | None = None) -> Version:
    """The newest release that can be installed here, without pre-releases and yanked releases.

    Raises:
        ConfigError: the index has no such package.
        LaunchError: the index could not be reached.
    """
    version = _choose(package, processes or Processes())
    if version is None:
        raise ConfigError(f"{package}: the package index has no such package")
    return version


def day_of(pin: Pin, processes: Processes) -> datetime:
    """When the last file of a release was uploaded (UTC), or when a wheel's commit was made; else the current time.

    Raises:
        ConfigError: there is no such release; the text names the nearest.
        LaunchError: the index could not be reached, or gives no upload times.
    """
    if pin.wheel:
        made = datetime.fromisoformat(pin.day.replace("Z", "+00:00")) if pin.day else datetime.now(timezone.utc)
        return made.astimezone(timezone.utc)
    lock = lock_file(str(pin), processes)
    if lock is None:
        raise ConfigError(_no_such_release(pin, processes))
    return upload_time(lock)


def upload_time(lock: str) -> datetime:
    """The latest upload time (UTC) in a lock file (PEP 751) of one package.

    Raises:
        LaunchError: the package index gave none.
    """
    moments = [datetime.fromisoformat(text[:19]) for text in _UPLOAD_TIME.findall(lock)]
    if not moments:
        raise LaunchError(
            "the package index gives no upload times (PEP 700), so the dependencies of that day are not known; "
            "set UV_DEFAULT_INDEX to an index that gives them"
        )
    return max(moments).replace(tzinfo=timezone.utc)


def end_of_day(moment: datetime) -> str:
    """The end of a moment's day (midnight, UTC), as uv's ``--exclude-newer`` expects it."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return midnight.strftime("%Y-%m-%dT%H:%M:%SZ")


def lock_file(requirement: str, processes: Processes, *options: str) -> str | None:
    """The release that uv chooses for one requirement, as a lock file: the only output of uv with upload times.

    Returns:
        The lock file; None if no release in the index meets the requirement.

    Raises:
        LaunchError: the index could not be reached, or uv failed in another way.
    """
    done = uv(
        *("pip", "compile", "--quiet", "--no-deps", "--no-header", "--format", "pylock.toml"),
        *("--python", sys.executable, *options, "-"),
        processes=processes,
        text=requirement,
    )
    if done.returncode == 0:
        return done.stdout
    if _UNSATISFIABLE in done.stderr and not _is_offline(done.stderr):
        return None
    raise failure(done)


def uv(*arguments: str, processes: Processes, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run uv.

    Raises:
        LaunchError: uv is not installed.
    """
    try:
        from uv import find_uv_bin

        program = find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise LaunchError("isolated environments need uv, which is not installed: pip install uv") from error
    return processes.run([program, "--color", "never", *arguments], text=text, environment=_index_settings())


def failure(done: subprocess.CompletedProcess[str]) -> LaunchError | ConfigError:
    """The exception for a failure of uv: a ConfigError if releases conflict, otherwise a LaunchError."""
    words = re.sub(rf"^\s*(error|cause|hint): ({_UNSATISFIABLE}.*$)?", "", done.stderr.strip(), flags=re.MULTILINE)
    words = re.sub(r"\s+", " ", words).strip().rstrip(".")
    if _is_offline(done.stderr):
        return UnreachableError(
            f"the package index could not be reached: {words[:600]}. Existing environments need no "
            "network: accumcheck environments list"
        )
    if _UNSATISFIABLE in done.stderr:
        return ConfigError(f"these releases conflict: {words[:1500]}")
    return LaunchError(f"uv failed: {words[-1500:] or f'exit code {done.returncode}, no error message'}")


def _no_such_release(pin: Pin, processes: Processes) -> str:
    below = _choose(f"{pin.name}<{pin.version}", processes)
    above = _choose(f"{pin.name}>{pin.version}", processes, lowest=True)
    if below is above is None:
        return f"{pin}: the package index has no package {pin.name}"
    nearest = " and ".join(str(version) for version in (below, above) if version is not None)
    python = ".".join(map(str, sys.version_info[:2]))
    return f"{pin}: the package index has no such release for Python {python}; nearest: {nearest}"


def _choose(
    requirement: str, processes: Processes, *, lowest: bool = False, prereleases: bool = False
) -> Version | None:
    lock = lock_file(
        requirement,
        processes,
        *("--resolution", "lowest" if lowest else "highest"),
        *("--prerelease", "allow" if prereleases else "disallow"),
    )
    match = _VERSION.search(lock) if lock is not None else None
    return Version(match[1]) if match is not None else None


def _is_offline(words: str) -> bool:
    return any(sign in words for sign in _OFFLINE)


@cache
def _index_settings() -> Mapping[str, str]:
    """Settings for uv in addition to its own environment variables: pip's index and certificates."""
    settings: dict[str, str] = {}
    if not any(os.environ.get(name) for name in _UV_INDEX) and (index := _pip_setting("index-url")):
        settings["UV_DEFAULT_INDEX"] = index
    if not os.environ.get("SSL_CERT_FILE") and (certificates := _pip_setting("cert")):
        settings["SSL_CERT_FILE"] = certificates
    return settings


def _pip_setting(name: str) -> str | None:
    if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
        return value
    with contextlib.suppress(OSError):  # if pip is not installed, it has no settings
        listed = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
        )
        for line in listed.stdout.splitlines():
            key, _, value = line.partition("=")
            if key in (f"global.{name}", f"install.{name}"):
                return value.strip("'\"")
    return None
