"""What is replaced is put back, and nothing is replaced that was not said."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
import yaml

from accumcheck.capture.patches import Patches, Seam


def times(factor: int) -> Any:
    """Makes a function that multiplies what the one in its place gives."""

    def make(original: Any) -> Any:
        @functools.wraps(original)
        def changed(*args: Any, **kwargs: Any) -> Any:
            return factor * original(*args, **kwargs)

        return changed

    return make


class Base:
    def step(self) -> int:
        return 1


class Derived(Base):
    """Inherits `step`."""


def test_a_class_gets_back_its_own_and_keeps_what_it_inherits() -> None:
    original = Base.__dict__["step"]
    with Patches({Seam.ENGINE_STEP}) as patches:
        patches.wrap(Seam.ENGINE_STEP, Base, times(3))
        patches.wrap(Seam.ENGINE_STEP, Derived, times(5))
        assert (Base().step(), Derived().step()) == (3, 15)
    assert Base.__dict__["step"] is original
    assert "step" not in Derived.__dict__
    assert (Base().step(), Derived().step()) == (1, 1)


def test_one_object_is_changed_and_no_other() -> None:
    one, other = Base(), Base()
    with Patches({Seam.ENGINE_STEP}) as patches:
        patches.wrap(Seam.ENGINE_STEP, one, times(2))
        assert (one.step(), other.step()) == (2, 1)
    assert vars(one) == {}


def test_the_last_is_undone_first_whatever_was_raised() -> None:
    order: list[str] = []
    place = SimpleNamespace(step=1)

    def job() -> None:
        with patches:
            patches.at_end(lambda: order.append("first"))
            patches.assign(place, "step", 2)
            patches.at_end(lambda: order.append(f"second, step {place.step}"))
            patches.assign(place, "other", 3)
            raise KeyboardInterrupt

    patches = Patches(())
    with pytest.raises(KeyboardInterrupt):
        job()
    assert order == ["second, step 2", "first"]
    assert vars(place) == {"step": 1}
    patches.undo()
    assert order == ["second, step 2", "first"]


def test_a_seam_that_was_not_listed_is_not_replaced() -> None:
    original = yaml.load
    with Patches({Seam.TRAINER}) as patches, pytest.raises(AssertionError, match=r"yaml\.load is replaced, but"):
        patches.wrap(Seam.YAML, yaml, times(2))
    assert yaml.load is original


@pytest.mark.parametrize(
    "seam", [seam for seam in Seam if not seam.value.startswith("deepspeed.")], ids=lambda seam: seam.value
)
def test_every_seam_is_where_it_says(seam: Seam) -> None:
    roots = {"torch": torch, "transformers": transformers, "yaml": yaml}
    package, *path = seam.value.split(".")
    assert callable(functools.reduce(getattr, path, roots[package]))
    assert seam.attribute == path[-1]
