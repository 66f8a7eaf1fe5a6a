"""What the package index has, asked through uv, so that whichever index, mirror or credential uv is given is used.

An index set for pip (``PIP_INDEX_URL``, pip.conf) is passed on to uv where uv has none set in the environment.
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
    """The package index could not be reached: nothing is known of any release."""


def published_versions(
    package: str,
    *,
    at_least: Version | None = None,
    at_most: Version | None = None,
    prereleases: bool = False,
    processes: Processes | None = None,
) -> list[Version]:
    """The releases that can be installed here, oldest first.

    Left out are yanked releases, releases without a file for this Python, and pre-releases unless asked for. uv has no
    listing, so that each is asked for as the oldest above the last: a tenth of a second each, so name the ends.

    Raises:
        ConfigError: the index has no such package.
        LaunchError: the index could not be reached.
    """
    processes = processes or Processes()
    above = f">={at_least}" if at_least is not None else ">=0"
    below = f",<={at_most}" if at_most is not None else ""
    found: list[Version] = []
    while True:
        # !=, since > leaves out the post-releases of a version
        bound = f">={found[-1]},!={found[-1]}" if found else above
        version = _choose(f"{package}{bound}{below}", processes, lowest=True, prereleases=prereleases)
        if version is None:
            break
        found.append(version)
    if not found and at_least is at_most is None:
        raise ConfigError(f"{package}: the package index has no such package")
    return found


def latest(package: str, *, processes: Processes | None = None) -> Version:
    """The newest release that can be installed here, pre-releases and yanked ones aside.

    Raises:
        ConfigError: the index has no such package.
        LaunchError: the index could not be reached.
    """
    version = _choose(package, processes or Processes())
    if version is None:
        raise ConfigError(f"{package}: the package index has no such package")
    return version


def day_of(pin: Pin, processes: Processes) -> datetime:
    """When the last file of a release was uploaded (UTC), or a wheel's commit was made; of any other wheel now.

    Raises:
        ConfigError: there is no such release; the text names the nearest.
        LaunchError: the index could not be reached, or does not say when.
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
            "the package index gives no upload times (PEP 700), so the dependencies of that time are not known; "
            "name an index that gives them with UV_DEFAULT_INDEX"
        )
    return max(moments).replace(tzinfo=timezone.utc)


def end_of_day(moment: datetime) -> str:
    """The midnight (UTC) that ends a moment's day, as uv's ``--exclude-newer`` reads it."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return midnight.strftime("%Y-%m-%dT%H:%M:%SZ")


def lock_file(requirement: str, processes: Processes, *options: str) -> str | None:
    """The release that uv chooses for one requirement, as a lock file: the one answer that carries upload times.

    Returns:
        None where the index has no release that meets the requirement.

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
        LaunchError: uv is not there.
    """
    try:
        from uv import find_uv_bin

        program = find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise LaunchError("isolated environments are built with uv, which is missing: pip install uv") from error
    return processes.run([program, "--color", "never", *arguments], text=text, environment=_index_settings())


def failure(done: subprocess.CompletedProcess[str]) -> LaunchError | ConfigError:
    """The exception for a uv that failed: the user's where releases do not go together, otherwise the machine's."""
    words = re.sub(rf"^\s*(error|cause|hint): ({_UNSATISFIABLE}.*$)?", "", done.stderr.strip(), flags=re.MULTILINE)
    words = re.sub(r"\s+", " ", words).strip().rstrip(".")
    if _is_offline(done.stderr):
        return UnreachableError(
            f"the package index could not be reached: {words[:600]}. Environments built before need no network: "
            "accumcheck environments list"
        )
    if _UNSATISFIABLE in done.stderr:
        return ConfigError(f"the releases named do not go together: {words[:1500]}")
    return LaunchError(f"uv failed: {words[-1500:] or f'exit code {done.returncode}, without a word'}")


def _no_such_release(pin: Pin, processes: Processes) -> str:
    below = _choose(f"{pin.name}<{pin.version}", processes)
    above = _choose(f"{pin.name}>{pin.version}", processes, lowest=True)
    if below is above is None:
        return f"{pin}: the package index has no package {pin.name}"
    nearest = " and ".join(str(version) for version in (below, above) if version is not None)
    python = ".".join(map(str, sys.version_info[:2]))
    return f"{pin}: the package index has no such release for Python {python}; the nearest: {nearest}"


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
    """What uv is told beyond its own environment: the index and the certificates that pip is set to use."""
    settings: dict[str, str] = {}
    if not any(os.environ.get(name) for name in _UV_INDEX) and (index := _pip_setting("index-url")):
        settings["UV_DEFAULT_INDEX"] = index
    if not os.environ.get("SSL_CERT_FILE") and (certificates := _pip_setting("cert")):
        settings["SSL_CERT_FILE"] = certificates
    return settings


def _pip_setting(name: str) -> str | None:
    if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
        return value
    with contextlib.suppress(OSError):  # no pip here: then it has no settings either
        listed = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
        )
        for line in listed.stdout.splitlines():
            key, _, value = line.partition("=")
            if key in (f"global.{name}", f"install.{name}"):
                return value.strip("'\"")
    return None
