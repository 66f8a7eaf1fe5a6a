"""What single keys cannot tell: sums, alternatives, and keys that contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accumcheck.config.aliases import Keys, find, given
from accumcheck.config.composites import OneSplit
from accumcheck.config.epochs import samples_of_epoch, steps_of
from accumcheck.config.faults import Faults, Place, show_path
from accumcheck.config.fields import DATA_COLUMNS, DATA_SOURCES, MODEL_SOURCES, SPLIT
from accumcheck.config.kinds import either, name_of
from accumcheck.config.model import PROGRAMS, DataConfig, LauncherConfig, SyntheticData
from accumcheck.config.program_fields import EXAMPLES
from accumcheck.record import Split

if TYPE_CHECKING:
    from accumcheck.config.yaml_positions import Item


OF_ACCELERATE = ("bf16", "fp16", "learning_rate", "max_grad_norm", "weight_decay")
"""The training arguments that ``stack: accelerate`` obeys."""


def check_consistency(tree: Item, values: dict[str, Any], faults: Faults) -> None:
    """Note every contradiction between keys.

    Args:
        tree: the configuration with canonical keys, for the places.
        values: the valid values of `fields.ROOT`; what is missing here was noted before.
        faults: where to note.
    """
    checks = _Consistency(tree, values, faults)
    checks.sums()
    if values.get("stack") in PROGRAMS:
        checks.program()
    else:
        checks.model()
        checks.data()
        checks.epochs()
        checks.accelerate()
        checks.shards()
    checks.sources_of_program()
    checks.launcher()


class _Consistency:
    def __init__(self, tree: Item, values: dict[str, Any], faults: Faults) -> None:
        self.tree = tree
        self.values = values
        self.faults = faults

    def section(self, name: str) -> dict[str, Any]:
        values: dict[str, Any] = self.values.get(name, {})
        return values

    def note(self, keys: Keys, message: str) -> None:
        """Note a fault at the key, or at the nearest section above it that was written."""
        item = find(self.tree, keys)
        self.faults.add(self.place(keys), name_of(item, keys) if item else show_path(keys), message)

    def place(self, keys: Keys) -> Place:
        while (item := find(self.tree, keys)) is None:
            keys = keys[:-1]
        return item.place

    def sums(self) -> None:
        """``n * b * k`` of every split is the global batch size."""
        batch, splits = self.values.get("global_batch_size"), find(self.tree, ("splits",))
        origin = self.place(("global_batch_size",))
        cited = f" ({origin})" if origin.on_command_line else ""
        if batch is None or splits is None or not isinstance(splits.value, list):
            return
        for i, item in enumerate(splits.value):
            split = OneSplit(SPLIT).read(item, ("splits", i), Faults())
            if isinstance(split, Split) and split.global_batch_size != batch:
                n, b, k = split.num_processes, split.per_device_train_batch_size, split.gradient_accumulation_steps
                message = f"{n} x {b} x {k} = {split.global_batch_size}, but global_batch_size is {batch}{cited}"
                fits = f"; did you mean {Split(n, b, batch // (n * b))}?" if batch % (n * b) == 0 else ""
                self.faults.add(item.place, show_path(("splits", i)), message + fits)

    def model(self) -> None:
        """Exactly one source of the model, and weights that can come from it."""
        here = [keys for keys in MODEL_SOURCES if given(self.tree, keys)]
        if len(here) == 2:
            other = name_of(*self._item(here[0]))
            self.note(here[1], f"given together with {other} ({self.place(here[0])}); keep exactly one")
        elif not here and (model := find(self.tree, ("model",))) is None:
            self.faults.add(self.tree.place, "model", "missing; add for example model: {name_or_path: ./my-model}")
        elif not here and model is not None and model.mapping is not None:
            message = "missing; add for example name_or_path: ./my-model, or config: {model_type: llama}"
            self.faults.add(model.place, "model.name_or_path", message)
        model_values = self.section("model")
        if model_values.get("weights") == "pretrained":
            if model_values.get("shrink"):
                message = "pretrained weights do not fit a shrunk model; write weights: random, or shrink: false"
                self.note(("model", "weights"), message)
            if here == [("model", "config")]:
                message = "an inline config has no pretrained weights; write weights: random, or give name_or_path"
                self.note(("model", "weights"), message)
        if here == [("model", "config")] and "revision" in model_values:
            self.note(("model", "revision"), "no effect with an inline config; remove it")

    def _item(self, keys: Keys) -> tuple[Item, Keys]:
        item = find(self.tree, keys)
        assert item is not None
        return item, keys

    def data(self) -> None:
        """At most one source of data, with keys that have an effect on it, and lengths in order."""
        for group in (DATA_SOURCES, DATA_COLUMNS):
            sources = [keys for keys in group if given(self.tree, keys)]
            for keys in sources[1:]:
                other = name_of(*self._item(sources[0]))
                self.note(keys, f"given together with {other} ({self.place(sources[0])}); keep one")
        data = self.section("data")
        if not any(given(self.tree, keys) for keys in DATA_SOURCES[1:]):
            default = DataConfig().max_length
            if data.get("max_length", default) != default:
                message = "no effect on synthetic data; write data.synthetic.max_length"
                self.note(("data", "max_length"), message)
            for keys in DATA_COLUMNS:
                if given(self.tree, keys):
                    self.note(keys, "no effect on synthetic data; give data.jsonl or data.dataset, or remove it")
        synthetic, defaults = data.get("synthetic", {}), SyntheticData()
        shortest = synthetic.get("min_length", defaults.min_length)
        longest = synthetic.get("max_length", defaults.max_length)
        if shortest > longest:
            here = [("data", "synthetic", name) for name in ("min_length", "max_length") if name in synthetic]
            last = max(here, key=lambda keys: self.place(keys).on_command_line)
            self.note(last, f"min_length {shortest} is above max_length {longest}; write min_length <= max_length")

    def program(self) -> None:
        """A program of the user's makes the model and the data."""
        stack = self.values["stack"]
        for keys, what in ((("model",), "model"), (("data",), "data"), (("trajectory_steps",), "further steps")):
            if given(self.tree, keys) and self.values.get(keys[0]) != 0:
                self.note(keys, f"no effect with stack: {stack}, whose program has its own {what}; remove it")

    def sources_of_program(self) -> None:
        """Each stack that is a program has the one key that names it, and no other stack has."""
        stack = self.values.get("stack", "trainer")
        for key in dict.fromkeys(PROGRAMS.values()):
            owners = [owner for owner, own in PROGRAMS.items() if own == key]
            if given(self.tree, (key,)) and stack not in owners:
                self.note((key,), f"no effect with stack: {stack}; write stack: {either(owners)}, or remove it")
            elif stack in owners and not given(self.tree, (key,)):
                self.note(("stack",), f"needs {key}; add for example {EXAMPLES[key]}")
        if stack != "callable" and self.values.get("callable_arguments"):
            self.note(("callable_arguments",), f"no effect with stack: {stack}; write stack: callable, or remove it")
        script = self.values.get("script")
        if script is not None and ("path" in script) == ("module" in script):
            self.note(("script",), "expected exactly one of path and module, for example {path: train.py}")

    def epochs(self) -> None:
        """Epochs need a number of samples, and leave none for steps to say."""
        data, batch = self.section("data"), self.values.get("global_batch_size")
        epochs, samples = data.get("epochs"), data.get("samples")
        if epochs is None:
            if samples is not None:
                self.note(("data", "samples"), "no effect without data.epochs; add for example epochs: 2")
            return
        if samples is None and any(given(self.tree, keys) for keys in DATA_SOURCES[1:]):
            self.note(("data", "epochs"), "needs data.samples: how many rows make an epoch, for example samples: 40")
        if self.values.get("trajectory_steps"):
            self.note(("trajectory_steps",), "not together with data.epochs; remove one of them")
        if batch is None or not given(self.tree, ("steps",)) or "steps" not in self.values:
            return
        steps = steps_of(epochs, samples or samples_of_epoch(batch, self.values.get("splits")), batch)
        if self.values["steps"] != steps:
            message = f"found {self.values['steps']}; with data.epochs there are {steps}: remove steps"
            self.note(("steps",), message)

    def accelerate(self) -> None:
        """Our own loop obeys few training arguments, and knows no epochs."""
        if self.values.get("stack") != "accelerate":
            return
        for name in self.section("training_arguments"):
            if name not in OF_ACCELERATE:
                message = f"no effect with stack: accelerate, which knows {', '.join(OF_ACCELERATE)}; remove it"
                self.note(("training_arguments", name), message)
        if given(self.tree, ("hotfix",)):
            self.note(("hotfix",), "no effect with stack: accelerate, which has no Trainer; remove it")
        if given(self.tree, ("data", "epochs")):
            self.note(("data", "epochs"), "not available with stack: accelerate; write steps")

    def shards(self) -> None:
        """A model that FSDP or DeepSpeed has cut up is not trained a second time."""
        for sharding in ("fsdp", "deepspeed"):
            if self.values.get("trajectory_steps") and self.section("training_arguments").get(sharding):
                self.note(("trajectory_steps",), f"not together with training_arguments.{sharding}; remove one of them")

    def launcher(self) -> None:
        """What several machines need."""
        launcher = self.section("launcher")
        nnodes = launcher.get("nnodes", LauncherConfig().nnodes)
        rank = launcher.get("node_rank", LauncherConfig().node_rank)
        if rank >= nnodes:
            message = f"found {rank}; expected less than launcher.nnodes, which is {nnodes}; the first machine is 0"
            self.note(("launcher", "node_rank"), message)
        if nnodes > 1 and not given(self.tree, ("launcher", "rdzv_endpoint")):
            message = (
                f"missing for {nnodes} machines; add for example rdzv_endpoint: node0:29400 (host:port of the first)"
            )
            self.note(("launcher", "rdzv_endpoint"), message)
