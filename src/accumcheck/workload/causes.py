"""Turn any exception of transformers, the hub or the device into one line for the user."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck.errors import WorkloadError
from accumcheck.runfolder.crash import innermost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.config.model import ModelConfig

_UNREACHABLE = (
    "couldn't connect",
    "connection error",
    "offline mode",
    "localentrynotfound",
    "max retries",
    "resolve host",
    "cannot find the requested files in the local cache",
    "cannot find the requested files in the disk cache",
    "outgoing traffic has been disabled",
)
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")


@contextmanager
def named_cause(model: ModelConfig, what: str = "") -> Iterator[None]:
    """Turn any exception raised inside into a `WorkloadError` that names the model and the cause in one line.

    ``what``: what failed, if it is not the model itself.
    """
    try:
        yield
    except WorkloadError:
        raise
    except Exception as error:
        raise WorkloadError(_cause(error, model, what)) from error


def _cause(error: Exception, model: ModelConfig, what: str) -> str:
    name = model.name_or_path or f"the inline {(model.config or {}).get('model_type')} config"
    texts = " ".join(_chain(error))
    lowered = texts.lower()
    if any(sign in lowered for sign in _NO_MEMORY):
        return f"{name}: out of memory while building the model in {model.dtype}; try shrink: true or a smaller dtype"
    if model.name_or_path is not None and not Path(model.name_or_path).is_dir():
        if any(sign in lowered for sign in _UNREACHABLE):
            return (
                f"could not reach the hub for {name}, and it is not in the hub's cache; give a local directory, "
                "or download it into the cache first (HF_HUB_OFFLINE=1 then only uses the cache)"
            )
        if "is not a valid model identifier" in lowered or "repository not found" in lowered:
            return f"{name}: neither a local directory nor a model on the hub"
    if not model.trust_remote_code and ("custom code" in lowered or "execute the configuration file" in lowered):
        return f"{name}: the model comes with its own code; read the code, then set model.trust_remote_code: true"
    name = f"{name}: {what}" if what else name
    # transformers imports lazily, and hides what could not be imported behind an error of its own
    cause = innermost(error)
    told = cause if isinstance(cause, ImportError) else error
    return f"{name}: {type(told).__name__}: {first_line(str(told))}"


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{type(error).__name__}: {error}"
        error = error.__cause__ or error.__context__


def first_line(text: str) -> str:
    """The first meaningful line of ``text``, with the next line if it ends in a colon; at most 300 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    count = next((index + 1 for index, line in enumerate(lines) if not line.endswith(":")), len(lines))
    return " ".join(lines[:count])[:300] or "no message"


def did_you_mean(given: str, known: list[str]) -> str:
    """``; did you mean X?`` for the most similar name in ``known``; empty if none is similar."""
    close = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
