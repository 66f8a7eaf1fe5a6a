"""What a survey is asked for, and the check that each class gets."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from accumcheck.config.model import CheckConfig, DataConfig, LauncherConfig, ModelConfig, SyntheticData
from accumcheck.config.yaml_positions import write_document
from accumcheck.record import Split

GLOBAL_BATCH = 8
"""Samples of one optimizer step: enough to tell the weighting rules apart, and few enough to be quick."""
PROCESSES = (1, 2, 4, 8)
"""Numbers of processes that divide it."""
SHORTEST, LONGEST = 6, 24
"""Tokens of a sample."""


@dataclass(frozen=True, slots=True)
class Head:
    """One head class of the installed transformers.

    Attributes:
        name: the class.
        module: where it is defined, from ``transformers`` on.
        model_type: of its configuration.
        task: what it is trained for.
        config: fields of its configuration that have no default under which it can be made.
    """

    name: str
    module: str
    model_type: str
    task: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What to survey, and within which limits.

    Attributes:
        match: patterns as of a shell, for class names and model types; empty: all.
        tasks: names of tasks; empty: all.
        processes: of the third split; 1: there is none.
        jobs: classes that are checked side by side.
        timeout: seconds that one class may take.
        memory: GiB that one process of a class may take.
        skip: classes that are known already.
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
        """No accumulation, nothing but accumulation, and where asked for some of both on several processes."""
        found = [Split(1, GLOBAL_BATCH, 1), Split(1, 1, GLOBAL_BATCH)]
        if self.processes > 1:
            share = GLOBAL_BATCH // self.processes
            found.append(Split(self.processes, max(1, share // 2), min(2, share)))
        return tuple(found)

    def wants(self, head: Head) -> bool:
        """Whether a class is asked for."""
        named = self._matches(head.name) or self._matches(head.model_type)
        return named and (not self.tasks or head.task in self.tasks)

    def may_want(self, name: str, folder: str) -> bool:
        """Whether a class of this name, of a model in this folder, may be asked for: what is known before an import.

        A folder is named after the model type, or that begins with its name.
        """
        return (
            self._matches(name)
            or self._matches(folder)
            or any(pattern.lower().startswith(folder) for pattern in self.match)
        )

    def _matches(self, text: str) -> bool:
        return not self.match or any(fnmatch.fnmatchcase(text.lower(), pattern.lower()) for pattern in self.match)


def check_of(head: Head, splits: tuple[Split, ...], timeout: float) -> CheckConfig:
    """The check of one class: its own configuration, shrunk, on synthetic samples of uneven length, on the CPU."""
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
    """The check of one class as one writes it in a file for ``accumcheck run``."""
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
