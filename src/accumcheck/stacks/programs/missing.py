"""Files on a script's command line that do not exist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck.stacks.script import ScriptConfig

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig

_READ = (".yaml", ".yml", ".json", ".jsonl", ".toml", ".csv", ".parquet", ".txt")
"""Extensions of files that programs read rather than write."""


def why_missing(check: CheckConfig, folder: Path) -> str:
    """The warning if a script's arguments name files that do not exist; empty if all exist.

    Args:
        check: the resolved configuration, of any stack.
        folder: the folder of the configuration. Paths are searched in the working directory, then here.
    """
    if check.stack != "script":
        return ""
    values = [word.partition("=")[2] if word.startswith("-") else word for word in check.own(ScriptConfig).arguments]
    missing = [one for one in values if Path(one).suffix in _READ and "{" not in one and not _is_there(one)]
    if not missing:
        return ""
    here = Path.cwd()
    places = f"in {here}" if folder == here else f"in the working directory {here}, nor in {folder}"
    return f"there is no {', no '.join(missing)} {places}; write the path as seen from one of these"


def _is_there(name: str) -> bool:
    try:
        return Path(name).expanduser().exists()
    except (OSError, RuntimeError):
        return False
