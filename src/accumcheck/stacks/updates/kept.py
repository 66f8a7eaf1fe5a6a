"""Weights as they were before a step: in memory where they are small, in a temporary file where that would be dear."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import torch

ON_DEVICE = 2**30
"""Bytes of weights that are copied on their own device; those of bigger models are copied to the host's memory, and
come back one parameter at a time."""
IN_MEMORY = 2**26
"""Bytes of weights on the host that are copied in its memory; those of bigger models are written to a file. A step of
Adam holds four times the weights, so that a copy would be a fourth of it."""


@dataclass(frozen=True, slots=True)
class _InFile:
    """Where a parameter's weights lie."""

    offset: int
    like: torch.Tensor


class KeptWeights(Mapping[int, torch.Tensor]):
    """What weights were, by the parameters' ids; each is read when it is asked for.

    Args:
        file: holds the large ones; what an earlier step has written there is overwritten.
    """

    def __init__(self, file: TemporaryWeights) -> None:
        self._file = file
        self._parameters: dict[int, torch.Tensor] = {}
        self._places: dict[int, torch.Tensor | _InFile] = {}
        self._end = 0

    def keep(self, parameters: Iterable[torch.Tensor], begun: Mapping[int, torch.Tensor] | None = None) -> None:
        """Keep these, unless they are kept already.

        Args:
            parameters: whose weights are kept.
            begun: copies of some, by their ids, that are kept instead of what these are now.

        Raises:
            OSError: the file cannot be written, for example on a full disk.
        """
        parameters = list(parameters)
        size = sum(one.numel() * one.element_size() for one in parameters)
        for one in parameters:
            if id(one) in self._parameters:
                continue
            self._parameters[id(one)] = one
            if begun and id(one) in begun:
                self._places[id(one)] = begun[id(one)]
            elif size > IN_MEMORY and _is_plain(one) and one.device.type == "cpu" and one.is_contiguous():
                self._places[id(one)] = _InFile(self._end, one)
                self._end = self._file.write(one, self._end)
            elif size > ON_DEVICE and _is_plain(one):
                self._places[id(one)] = one.detach().to("cpu", copy=True)
            else:  # parts of a tensor that is spread over processes stay where they are
                self._places[id(one)] = one.detach().clone()

    def put_back(self) -> None:
        """Give every parameter the weights that it had."""
        with torch.no_grad():
            for key, parameter in self._parameters.items():
                place = self._places[key]
                if isinstance(place, _InFile):
                    self._file.read(parameter, place.offset)
                else:
                    parameter.copy_(place)

    def __getitem__(self, key: int) -> torch.Tensor:
        """A parameter's weights, on the host if they were large."""
        place = self._places[key]
        if not isinstance(place, _InFile):
            return place
        found = torch.empty_like(place.like, requires_grad=False)
        self._file.read(found, place.offset)
        return found

    def __iter__(self) -> Iterator[int]:
        """The parameters' ids."""
        return iter(self._places)

    def __len__(self) -> int:
        """How many parameters there are."""
        return len(self._places)


class TemporaryWeights:
    """A file without a name in the run's temporary folder; made when it is first written, gone when it is closed."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def close(self) -> None:
        """Remove it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, tensor: torch.Tensor, offset: int) -> int:
        """Write a contiguous tensor there; returns the offset behind it."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="accumcheck-weights-")  # noqa: SIM115  it outlives this call
        self._file.seek(offset)
        self._file.write(_memory_of(tensor))
        self._file.flush()
        return self._file.tell()

    def read(self, into: torch.Tensor, offset: int) -> None:
        """Read what was written there into a contiguous tensor of the same kind."""
        assert self._file is not None
        self._file.seek(offset)
        memory = _memory_of(into)
        if self._file.readinto(memory) != len(memory):  # type: ignore[attr-defined]
            raise OSError("the temporary file of the weights has been cut short")


def _memory_of(tensor: torch.Tensor) -> memoryview:
    """The bytes of a contiguous tensor on the host, which can be written through this too."""
    bits: Any = tensor.detach().reshape(-1).view(torch.uint8).numpy()
    return memoryview(bits)


def _is_plain(one: torch.Tensor) -> bool:
    return type(one) in (torch.Tensor, torch.nn.Parameter)
