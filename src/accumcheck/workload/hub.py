"""Where to look for a model's files: a folder, the hub, or the hub's cache if the hub cannot be reached."""

from __future__ import annotations

import functools
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import constants

from accumcheck.errors import WorkloadError

if TYPE_CHECKING:
    from accumcheck.config.model import ModelConfig

_PATIENCE = 5.0  # seconds; the hub's own client retries for about half a minute


def source_options(model: ModelConfig) -> dict[str, Any]:
    """The keywords of every ``from_pretrained`` call for a model: the revision, and where to look.

    Raises:
        WorkloadError: the name is a path without a model.
    """
    assert model.name_or_path is not None
    folder = Path(model.name_or_path).expanduser()
    options: dict[str, Any] = {"trust_remote_code": model.trust_remote_code}
    if model.revision is not None:
        options["revision"] = model.revision
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise WorkloadError(f"{model.name_or_path}: this directory has no config.json, so it is not a model")
    elif model.name_or_path.startswith((".", "/", "~")) or folder.exists():
        raise WorkloadError(f"{model.name_or_path}: no such directory")
    elif not _reachable(constants.ENDPOINT):
        options["local_files_only"] = True
    return options


@functools.cache
def _reachable(endpoint: str) -> bool:
    """Whether the hub answers. Proxies of the environment are used, as in the hub's client."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=_PATIENCE):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
