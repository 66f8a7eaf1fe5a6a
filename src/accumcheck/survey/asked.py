"""The request for a survey, and the check of each class."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from accumcheck.config.model import CheckConfig, DataConfig, LauncherConfig, ModelConfig, SyntheticData
from accumcheck.config.yaml_positions import write_document
from accumcheck.record import Split

GLOBAL_BATCH = 8
"""The samples of one optimizer step: enough to distinguish the weighting rules, but few enough to be fast."""
PROCESSES = (1, 2, 4, 8)
"""The numbers of processes that divide it."""
SHORTEST, LONGEST = 6, 24
"""The number of tokens of a sample."""


@dataclass(frozen=True, slots=True)
class Head:
    """One head class of the installed transformers.

    Attributes:
        name: the class.
        module: the module that defines it, starting with ``transformers``.
        model_type: the model type of its configuration.
        task: the task that it is trained for.
        config: fields of its configuration without a usable default.
    """

    name: str
    module: str
    model_type: str
    task: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What to survey, and the limits.

    Attributes:
        match: shell patterns for class names and model types; empty: all.
        tasks: names of tasks; empty: all.
        processes: the processes of the third split; 1: no third split.
        jobs: the number of classes that are checked in parallel.
        timeout: the time limit of one class, in seconds.
        memory: the memory limit of one process of a class, in GiB.
        skip: classes whose results are already known.
    """

    match: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    processes: int = 1
    jobs: int = 1
    timeout: float = 120.0
    memory: float = 4.0
    skip: tuple[str, ...] = ()

    @property
    def splits(self) -> tuple[Split, ...]:
        """One split without accumulation, one with as much as possible, and if requested one on several processes."""
        found = [Split(1, GLOBAL_BATCH, 1), Split(1, 1, GLOBAL_BATCH)]
        if self.processes > 1:
            share = GLOBAL_BATCH // self.processes
            found.append(Split(self.processes, max(1, share // 2), min(2, share)))
        return tuple(found)

    def wants(self, head: Head) -> bool:
        """Whether a class is to be surveyed."""
        named = self._matches(head.name) or self._matches(head.model_type)
        return named and (not self.tasks or head.task in self.tasks)

    def may_want(self, name: str, folder: str) -> bool:
        """Whether a class of this name, in the folder of this model, may be wanted, as far as known before an import.

        The folder has the name of the model type, or the model type begins with it.
        """
        return (
            self._matches(name)
            or self._matches(folder)
            or any(pattern.lower().startswith(folder) for pattern in self.match)
        )

    def _matches(self, text: str) -> bool:
        return not self.match or any(fnmatch.fnmatchcase(text.lower(), pattern.lower()) for pattern in self.match)


def check_of(head: Head, splits: tuple[Split, ...], timeout: float) -> CheckConfig:
    """The check of one class: its shrunk configuration, with synthetic samples of varied length, on the CPU."""
    return CheckConfig(
        model=ModelConfig(config={"model_type": head.model_type, **head.config}, architecture=head.name, shrink=True),
        global_batch_size=GLOBAL_BATCH,
        splits=splits,
        data=DataConfig(synthetic=SyntheticData(min_length=SHORTEST, max_length=LONGEST)),
        steps=1,
        launcher=LauncherConfig(device="cpu", timeout=timeout),
    )


def on_text_alone(check: CheckConfig) -> CheckConfig:
    """The same check without images."""
    assert check.data.synthetic is not None
    return replace(check, data=replace(check.data, synthetic=replace(check.data.synthetic, images_per_sample=0)))


def config_of(check: CheckConfig) -> dict[str, Any]:
    """The check of one class as a configuration for ``accumcheck run``."""
    synthetic = check.data.synthetic
    assert synthetic is not None
    assert check.splits is not None
    data = {"min_length": synthetic.min_length, "max_length": synthetic.max_length}
    images = {} if synthetic.images_per_sample else {"images_per_sample": 0}
    model = check.model
    return {
        "model": {"config": dict(model.config or {}), "architecture": model.architecture, "shrink": model.shrink},
        "data": {"synthetic": data | images},
        "global_batch_size": check.global_batch_size,
        "steps": check.steps,
        "splits": [str(split) for split in check.splits],
        "launcher": {"device": check.launcher.device},
    }


def config_text(config: Mapping[str, Any]) -> str:
    """A configuration as YAML."""
    return write_document(dict(config))
