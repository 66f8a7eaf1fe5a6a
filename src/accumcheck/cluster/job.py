"""What every scheduler's file says in its own words: the command, its machines, its name, its time limit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from accumcheck.cluster.machines import Machines
    from accumcheck.config.model import CheckConfig

IMPORT_SECONDS = 600
"""What a job may take beside its splits: imports from a network disk, a model's download."""
_LONGEST_NAME = 40
"""A label of Kubernetes has at most 63 characters (RFC 1123), and the operator appends to the name."""
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ClusterJob:
    """A run over several machines.

    Attributes:
        name: of the job, valid for every scheduler.
        machines: what it needs.
        seconds: the longest that it can take.
        options: of ``accumcheck run``, behind the configuration.
    """

    name: str
    machines: Machines
    seconds: int
    options: tuple[str, ...] = ()


def longest_seconds(check: CheckConfig) -> int:
    """The longest that a run can take: every split and the reference to its time limit, one after the other."""
    return round(check.launcher.timeout * (len(check.splits or ()) + 1)) + IMPORT_SECONDS


def job_name(given: str | None, stem: str) -> str:
    """The name of a job: the one that is given, or one made of a file's.

    Raises:
        ConfigError: the given one is not valid everywhere.
    """
    if given is not None:
        if len(given) > _LONGEST_NAME or not _NAME.fullmatch(given):
            raise ConfigError(
                f"--name {given}: expected at most {_LONGEST_NAME} small letters, digits and dashes, a letter first "
                "and no dash at the end, as Kubernetes names its objects"
            )
        return given
    made = re.sub(r"[^a-z0-9]+", "-", f"accumcheck-{stem}".lower())
    return made[:_LONGEST_NAME].strip("-")


def joining(nodes: int, rank: str, endpoint: str) -> list[str]:
    """The options by which a machine takes part; none where there is only one.

    Args:
        nodes: how many there are.
        rank: which of them it is, as the scheduler's file says it.
        endpoint: where they meet, likewise.
    """
    if nodes == 1:
        return []
    keys = {"nnodes": str(nodes), "node_rank": rank, "rdzv_endpoint": endpoint}
    return [word for key, value in keys.items() for word in ("--set", f"launcher.{key}={value}")]
