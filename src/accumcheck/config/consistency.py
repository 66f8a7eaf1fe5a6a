"""Checks over several keys: sums, alternatives, and keys that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from accumcheck.config.epochs import samples_of_epoch, steps_of
from accumcheck.config.faults import KeyPath, Place, either, show_path
from accumcheck.config.limits import SAMPLES, SYNTHETIC_TOKENS
from accumcheck.config.messages import describe, name_of
from accumcheck.config.model import DATA_COLUMNS, DATA_SOURCES, MODEL_SOURCES, DataConfig
from accumcheck.config.own_keys import own_keys
from accumcheck.config.tree import Item, Keys, find, given
from accumcheck.config.values import canonical_rule
from accumcheck.declare.keys import Section, keys_of
from accumcheck.record import Split
from accumcheck.stacks.registry import find_stack

if TYPE_CHECKING:
    from accumcheck.config.faults import Faults
    from accumcheck.config.reading import Reading

OF_EPOCHS = {"epochs", "samples"}
"""The keys of ``data`` that a program may have: how many rows an epoch has."""


def check_consistency(tree: Item, reading: Reading, faults: Faults) -> None:
    """Record every contradiction between keys.

    Args:
        tree: the configuration with canonical keys, for the places.
        reading: its valid part; errors in the rest are already recorded.
        faults: where errors are recorded.
    """
    checks = _Consistency(tree, reading, faults)
    checks.splits()
    checks.severity()
    checks.expect()
    if checks.check.runs_program:
        checks.program()
        checks.epochs()
    else:
        checks.model()
        checks.data()
        checks.epochs()
        checks.shards()
    checks.amounts()
    checks.stack()
    checks.sections()
    checks.launcher()


class _Consistency:
    def __init__(self, tree: Item, reading: Reading, faults: Faults) -> None:
        self.tree = tree
        self.reading = reading
        self.check = reading.check
        self.faults = faults

    def given(self, *keys: str) -> bool:
        return given(self.tree, keys)

    def note(self, keys: KeyPath, message: str) -> None:
        """Record an error at the key, or at the nearest section above it in the file."""
        self.faults.add(self.place(keys), name_of(find(self.tree, keys), keys), message)

    def place(self, path: KeyPath) -> Place:
        while (item := find(self.tree, path)) is None:
            path = path[:-1]
        return item.place

    def splits(self) -> None:
        """No split is given twice, and ``n * b * k`` of every one is the global batch size."""
        origin = self.place(("global_batch_size",))
        cited = f" ({origin})" if origin.on_command_line else ""
        batch = None if self.reading.is_wrong("global_batch_size") else self.check.global_batch_size
        first: dict[Split, KeyPath] = {}
        for i, split in self.reading.splits(self.tree):
            path = ("splits", i)
            if first.setdefault(split, path) != path:
                self._note_split(path, f"{split} is given twice, first as {show_path(first[split])}; keep one")
                continue
            if batch is not None and split.global_batch_size != batch:
                n, b, k = split.replicas, split.per_device_train_batch_size, split.gradient_accumulation_steps
                fits = f"; did you mean {Split(n, b, batch // (n * b))}?" if batch % (n * b) == 0 else ""
                message = f"{n} x {b} x {k} = {split.global_batch_size}, but global_batch_size is {batch}{cited}"
                self._note_split(path, message + fits)

    def _note_split(self, path: KeyPath, message: str) -> None:
        self.faults.add(self.place(path), show_path(path), message)

    def severity(self) -> None:
        """No rule is given twice, with its factors in another order."""
        item = find(self.tree, ("severity",))
        seen: set[str] = set()
        for rule in (item.mapping or {}) if item is not None else ():
            canonical = canonical_rule(rule)
            if canonical in seen:
                self.note(("severity", rule), f"{canonical} is given twice; keep one")
            seen.add(canonical)

    def expect(self) -> None:
        """Failures are expected of splits that there are."""
        if self.check.splits is None or self.reading.is_wrong("splits") or self.reading.is_wrong("expect"):
            return
        there = {str(split) for split in self.check.splits}
        for i, one in enumerate(self.check.expect):
            for j, split in enumerate(one.splits or ()):
                if split not in there:
                    self._note_split(
                        ("expect", i, "splits", j), f"{split} is not among splits; add it there, or remove it"
                    )

    def model(self) -> None:
        """Exactly one source of the model, and weights that can come from it."""
        here = [keys for keys in MODEL_SOURCES if given(self.tree, keys)]
        model = find(self.tree, ("model",))
        if len(here) == 2:
            self._keep_one(here[1], here[0], "keep exactly one")
        elif not here and model is None:
            self.faults.add(self.tree.place, "model", "missing; add for example model: {name_or_path: ./my-model}")
        elif not here and model is not None and model.mapping is not None:
            message = "missing; add for example name_or_path: ./my-model, or config: {model_type: llama}"
            self.faults.add(model.place, "model.name_or_path", message)
        inline = here == [("model", "config")]
        if self.check.model.weights == "pretrained":
            if self.check.model.shrink:
                message = "pretrained weights do not fit a shrunk model; write weights: random, or shrink: false"
                self.note(("model", "weights"), message)
            if inline:
                message = "an inline config has no pretrained weights; write weights: random, or give name_or_path"
                self.note(("model", "weights"), message)
        if inline and self.check.model.revision is not None:
            self.note(("model", "revision"), "has no effect with an inline config; remove it")
        self._model_type()

    def _model_type(self) -> None:
        config, keys = find(self.tree, ("model", "config")), ("model", "config", "model_type")
        if config is None or config.mapping is None:
            return
        item = config.mapping.get("model_type")
        if item is None:
            self.faults.add(config.place, show_path(keys), "missing; add for example model_type: llama")
        elif not isinstance(item.value, str) and not item.broken:
            self.note(keys, f"found {describe(item)}; expected text, for example model_type: llama")

    def _keep_one(self, keys: Keys, other: Keys, what: str) -> None:
        name = name_of(find(self.tree, other), other)
        self.note(keys, f"given together with {name} ({self.place(other)}); {what}")

    def data(self) -> None:
        """At most one source of data, with keys that have an effect on it."""
        for group in (DATA_SOURCES, DATA_COLUMNS):
            sources = [keys for keys in group if given(self.tree, keys)]
            for keys in sources[1:]:
                self._keep_one(keys, sources[0], "keep one")
        if self.of_files:
            return
        if self.check.data.max_length != DataConfig().max_length:
            self.note(("data", "max_length"), "has no effect on synthetic data; write data.synthetic.max_length")
        for keys in DATA_COLUMNS:
            if given(self.tree, keys):
                self.note(keys, "has no effect on synthetic data; give data.jsonl or data.dataset, or remove it")

    @property
    def of_files(self) -> bool:
        """Whether the data are not synthetic."""
        return any(given(self.tree, keys) for keys in DATA_SOURCES[1:])

    def epochs(self) -> None:
        """Epochs need a number of samples, and exclude steps."""
        epochs, samples = self.check.data.epochs, self.check.data.samples
        if epochs is None:
            if samples is not None and not self.reading.is_wrong("data", "epochs"):
                self.note(("data", "samples"), "has no effect without data.epochs; add for example epochs: 2")
            return
        if (self.of_files or self.check.runs_program) and not self.given("data", "samples"):
            self.note(("data", "epochs"), "needs data.samples: how many rows make an epoch, for example samples: 40")
        if self.check.trajectory_steps:
            self.note(("trajectory_steps",), "cannot be combined with data.epochs; remove one of them")
        if self.reading.is_wrong("global_batch_size") or self.reading.is_wrong("steps") or not self.given("steps"):
            return
        batch = self.check.global_batch_size
        steps = steps_of(epochs, samples or samples_of_epoch(batch, self.check.splits), batch)
        if self.check.steps != steps:
            self.note(("steps",), f"found {self.check.steps}, but data.epochs gives {steps} steps; remove steps")

    def amounts(self) -> None:
        """The totals over all steps are limited as well."""
        if self.reading.is_wrong("global_batch_size") or self.reading.is_wrong("steps"):
            return
        batch, data, synthetic = self.check.global_batch_size, self.check.data, self.check.data.synthetic
        if data.epochs is None:
            samples = trained = self.check.steps * batch
            key: Keys = ("steps",) if self.given("steps") else ("global_batch_size",)
            sum_ = f"{self.check.steps} steps x {batch}"
        else:
            samples = data.samples or samples_of_epoch(batch, self.check.splits)
            trained, key = samples * data.epochs, ("data", "epochs")
            sum_ = f"{data.epochs} epochs x {samples}"
        if trained > SAMPLES:
            self.note(key, f"{sum_} samples = {trained} samples; expected at most {SAMPLES}")
        elif synthetic is None or self.of_files or self.check.runs_program:
            return
        elif samples * synthetic.max_length > SYNTHETIC_TOKENS:
            tokens = f"{samples} samples x max_length {synthetic.max_length} = {samples * synthetic.max_length}"
            self.note(key, f"{tokens} tokens of synthetic data; expected at most {SYNTHETIC_TOKENS}")

    def shards(self) -> None:
        """A model that FSDP or DeepSpeed has sharded is not trained a second time."""
        for sharding in ("fsdp", "deepspeed"):
            if self.check.trajectory_steps and self.check.training_arguments.get(sharding):
                self.note(
                    ("trajectory_steps",), f"cannot be combined with training_arguments.{sharding}; remove one of them"
                )

    def program(self) -> None:
        """The user's program makes the model and the data."""
        stack = self.check.stack
        for key, what in (("model", "model"), ("data", "data"), ("trajectory_steps", "training steps")):
            of_epochs = key == "data" and set(self.reading.plain.get(key) or ()) <= OF_EPOCHS
            if self.given(key) and self.reading.plain.get(key) != 0 and not of_epochs:
                self.note((key,), f"has no effect with stack: {stack}: the program has its own {what}; remove it")

    def stack(self) -> None:
        """Each stack has its own keys, and uses those it is given."""
        if self.reading.is_wrong("stack"):
            return
        stack = find_stack(self.check.stack)
        for name, (own, owners) in own_keys().items():
            here = self.given(name) and self.reading.plain.get(name) != {}
            if here and stack.name not in owners:
                self.note(
                    (name,), f"has no effect with stack: {stack.name}; write stack: {either(owners)}, or remove it"
                )
            elif stack.name in owners and own.example and not self.given(name):
                self.note(("stack",), f"needs {name}; add for example {own.example}")
        obeyed = stack.training_arguments
        for name in self.check.training_arguments if obeyed is not None else ():
            if obeyed is not None and name not in obeyed:
                message = f"has no effect with stack: {stack.name}, which only uses {', '.join(obeyed)}; remove it"
                self.note(("training_arguments", name), message)
        if not stack.has_trainer and self.given("hotfix"):
            self.note(("hotfix",), f"has no effect with stack: {stack.name}, which has no Trainer; remove it")
        if not (stack.has_epochs or self.check.runs_program) and self.given("data", "epochs"):
            self.note(("data", "epochs"), f"not available with stack: {stack.name}; write steps")

    def sections(self) -> None:
        """Contradictions that a section finds among its keys, recorded at a given one (the command line first)."""
        for path, section in _sections_of(self.check, ()):
            listed = any(isinstance(part, int) for part in path)  # its places in a list hold where none was left out
            for names, message in (
                [] if self.reading.is_wrong(*path[: 1 if listed else None]) else section.contradictions()
            ):
                here = [(*path, name) for name in names if find(self.tree, (*path, name)) is not None]
                self.note(max(here, key=lambda keys: self.place(keys).on_command_line, default=path), message)

    def launcher(self) -> None:
        """The keys that several machines need."""
        launcher = self.check.launcher
        nnodes, rank = launcher.nnodes, launcher.node_rank
        if rank >= nnodes and not self.reading.is_wrong("launcher", "nnodes"):
            message = f"found {rank}; expected less than launcher.nnodes ({nnodes}); machines are numbered from 0"
            self.note(("launcher", "node_rank"), message)
        if nnodes > 1 and not self.given("launcher", "rdzv_endpoint"):
            message = (
                f"required for {nnodes} machines; add for example rdzv_endpoint: node0:29400 (host:port of the first)"
            )
            self.note(("launcher", "rdzv_endpoint"), message)


def _sections_of(section: Section, path: KeyPath) -> Iterator[tuple[KeyPath, Section]]:
    """Every section inside a section or in one of its lists, with its path."""
    for name in keys_of(type(section)):
        inner = getattr(section, name)
        if isinstance(inner, Section):
            yield (*path, name), inner
            yield from _sections_of(inner, (*path, name))
        elif isinstance(inner, tuple):
            yield from (((*path, name, i), one) for i, one in enumerate(inner) if isinstance(one, Section))
