"""Collators that draw random numbers: each row gets its own numbers, independent of its micro-batch.

A collator that masks at random draws once for a whole micro-batch. The same row would then differ from split to
split, and splits could not be compared. While a collator runs, torch's random functions are replaced: a result that
has one entry per row is drawn row by row, each from a generator seeded by the row's content, and by position from the
row's start, so that padding after it changes nothing. Any other random number in a collator cannot be assigned to a
row and is refused.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, default_collate, default_convert

from accumcheck.capture.patches import Patches, Seam
from accumcheck.errors import UnsupportedError

_WIDTH = 1024
"""Block size along a row. Drawing in blocks makes a longer row begin with the same numbers as a shorter one."""
_GRAIN = 2**53
"""Number of distinct values in [0, 1) that a float64 resolves."""


def give_rows_their_own_numbers(
    patches: Patches, drew: Callable[[str], None] | None = None, made_loader: Callable[[Any], None] = lambda _: None
) -> None:
    """Make every data loader's collator a `RowwiseCollator`, from now on.

    Args:
        patches: undoes it.
        drew: called once for each collator that draws, with its name.
        made_loader: called with every data loader that is made.
    """

    def making(original: Any) -> Any:
        @functools.wraps(original)
        def made(loader: Any, *args: Any, **kwargs: Any) -> None:
            original(loader, *args, **kwargs)
            collate = loader.collate_fn
            if not isinstance(collate, RowwiseCollator) and collate not in (default_collate, default_convert):
                loader.collate_fn = RowwiseCollator(collate, drew)
            made_loader(loader)

        return made

    patches.wrap(Seam.DATA_LOADER, DataLoader, making)


class RowwiseCollator:
    """A collator whose random numbers for each row depend on the row's content.

    Args:
        collate: the program's collator.
        drew: called with the collator's name the first time it draws; not in a data loader's own processes.
    """

    def __init__(self, collate: Callable[[Any], Any], drew: Callable[[str], None] | None = None) -> None:
        self._collate = collate
        self._drew = drew

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._collate, name)

    def __reduce__(self) -> tuple[Any, ...]:  # for a data loader's processes
        return RowwiseCollator, (self._collate,)

    def __call__(self, examples: Any) -> Any:
        """Collate these examples.

        Raises:
            UnsupportedError: it draws random numbers that do not belong to a row.
        """
        if not isinstance(examples, Sequence) or isinstance(examples, (str, bytes)) or not examples:
            return self._collate(examples)
        name = name_of(self._collate)
        mode = RowwiseDraws(examples, name)
        before = _states()
        with mode:
            batch = self._collate(examples)
        if other := [of for of, state in _states().items() if state != before[of]]:
            raise _refused(name, f"from {' and '.join(other)}")
        if mode.calls and self._drew is not None:
            self._drew(name)
            self._drew = None
        return batch


class RowwiseDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Replaces torch's random functions for a batch of these examples.

    ``calls``: number of calls; ``answered``: number of calls with one entry per row.

    Args:
        examples: one per row.
        name: of the collator that draws, for the error.
    """

    def __init__(self, examples: Sequence[Any], name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls = 0
        self.answered = 0
        self._examples = examples
        self._seeds: list[int] = []
        self._name = name

    @classmethod
    def of(cls, seeds: Sequence[int], calls: int) -> RowwiseDraws:
        """For rows with these seeds, after this many calls; a result without one entry per row is left unchanged."""
        made = cls(seeds, "")
        made._seeds, made.calls = list(seeds), calls
        return made

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """See `TorchDispatchMode`."""
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        if not self._seeds:  # before a collator changes the examples, as some do
            self._seeds = [seed_of(example) for example in self._examples]
        self.calls += 1
        found = _drawn(func, _given(func, args, kwargs), self._uniform)
        self.answered += found is not None
        if found is None and not self._name:
            return func(*args, **kwargs)
        if found is None:
            what = str(func).removeprefix("aten.").partition(".")[0]
            raise _refused(self._name, f"by torch's {what}, with no entry for each row")
        return found

    def _uniform(self, shape: torch.Size) -> torch.Tensor | None:
        """Numbers in [0, 1) of this shape, in float64; None if its first dimension is not the rows."""
        if not shape or shape[0] != len(self._examples):
            return None
        length, rest = (shape[1], shape[2:]) if len(shape) > 1 else (1, torch.Size())
        rows = []
        for seed in self._seeds:
            draw = np.random.Generator(np.random.PCG64([seed, self.calls]))
            blocks = [draw.random((_WIDTH, *rest)) for _ in range(-(-length // _WIDTH))]
            rows.append(torch.from_numpy(np.concatenate([*blocks, np.empty((0, *rest))])[:length]))
        return torch.stack(rows).reshape(shape)


def _given(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a torch function by name, with defaults, but without those for the kind of the result."""
    known = func._schema.arguments
    defaults = {one.name: one.default_value for one in known if one.has_default_value() and one.name not in _KIND}
    return {**defaults, **{one.name: value for one, value in zip(known, args, strict=False)}, **kwargs}


_KIND = ("dtype", "device")


def _drawn(
    func: Any, given: Mapping[str, Any], uniform: Callable[[torch.Size], torch.Tensor | None]
) -> torch.Tensor | None:
    """The result of a random function computed from these uniform numbers; None if the function is not known."""
    name = func._schema.name.removeprefix("aten::")
    inplace = name.endswith("_")
    name = name.rstrip("_").removesuffix("_like")
    like = given.get("self", given.get("input"))
    shape = like.shape if isinstance(like, torch.Tensor) else torch.Size(given.get("size", ()))
    numbers = uniform(shape)
    if numbers is None:
        return None
    if name == "bernoulli":
        chance = given.get("p", like)
        chance = chance.double().cpu() if isinstance(chance, torch.Tensor) else chance
        found = (numbers < chance).double()
    elif name in ("rand", "uniform"):
        start, end = given.get("from", 0.0), given.get("to", 1.0)
        found = start + numbers * (end - start)
    elif name in ("randint", "random"):
        low = given.get("low", given.get("from")) or 0
        high = given.get("high", given.get("to"))
        if high is None:
            return None
        found = (low + numbers * (high - low)).floor().clamp(max=high - 1)
    elif name == "exponential":
        found = -torch.log1p(-numbers) / given["lambd"]
    elif name in ("randn", "normal") and not isinstance(given.get("mean"), torch.Tensor):
        normal = torch.special.ndtri(numbers.clamp(0.5 / _GRAIN, 1 - 0.5 / _GRAIN))
        found = given.get("mean", 0.0) + normal * given.get("std", 1.0)
    else:
        return None
    if inplace:
        return like.copy_(found)  # type: ignore[no-any-return]
    dtype = given.get("dtype") or (like.dtype if isinstance(like, torch.Tensor) else None)
    if dtype is None:
        dtype = torch.int64 if name == "randint" else torch.get_default_dtype()
    device = given.get("device") or (like.device if isinstance(like, torch.Tensor) else None)
    return found.to(dtype=dtype, device=device)


def seed_of(example: Any) -> int:
    """64 bits that depend on an example's content alone, the same in every process."""
    digest = hashlib.blake2b(digest_size=8)
    _digest(example, digest.update)
    return int.from_bytes(digest.digest(), "big")


def _digest(value: Any, update: Callable[[bytes], None]) -> None:
    if isinstance(value, Mapping):
        for key in sorted(value, key=str):
            update(f"{key}:".encode())
            _digest(value[key], update)
    elif isinstance(value, (list, tuple)):
        update(f"[{len(value)}".encode())
        for one in value:
            _digest(one, update)
    elif isinstance(value, torch.Tensor):
        whole = value.detach().cpu().contiguous()
        update(f"{whole.dtype}{tuple(whole.shape)}".encode() + whole.flatten().view(torch.uint8).numpy().tobytes())
    elif isinstance(value, np.ndarray) and value.dtype != object:
        update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, (str, bytes, bool, int, float, complex, type(None), np.generic)):
        update(f"{value!r},".encode())
    else:  # an image, or an object of the program
        update(pickle.dumps(value))


def name_of(collate: Any) -> str:
    """The collator's name in messages: the function's, or that of the object's class."""
    inner = getattr(collate, "data_collator", collate)  # Trainer's, which removes columns first
    return str(getattr(inner, "__qualname__", None) or type(inner).__name__)


def _states() -> dict[str, Any]:
    """The states of random generators other than torch's."""
    kind, keys, *rest = np.random.get_state()
    return {"Python's random": random.getstate(), "numpy.random": (kind, bytes(np.asarray(keys)), *rest)}


def _refused(name: str, how: str) -> UnsupportedError:
    return UnsupportedError(
        f"the collator {name} draws random numbers for a micro-batch as a whole ({how}), so a row's content "
        "depends on the split; draw one number for each row with torch, or make these rows before they are collated"
    )
