"""What the search for the form of images reads from a model's error."""

from __future__ import annotations

from typing import Any

import pytest

from accumcheck.workload.image_search import _of_other_width
from accumcheck.workload.images import ImageRecipe

ERROR = "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x48 and 64x32)"


def _widened(shape: tuple[int, ...], error: str = ERROR) -> Any:
    def recipe(features: int) -> ImageRecipe:
        return ImageRecipe((7,) * features, 7, lambda images: {"pixel_values": (images * shape[0], *shape[1:])}, {})

    other = _of_other_width(recipe, error)
    return None if other is None else (other(3).tokens, other(3).layout(2)["pixel_values"])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 4, 48), (2, 4, 64)), ((4, 48), (8, 64)), ((4, 50), (8, 66))],
    ids=["values", "patches of all images", "row and column first"],
)
def test_patches_get_the_width_in_the_error(shape: Any, expected: Any) -> None:
    assert _widened(shape) == ((7, 7, 7), expected)


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((1, 3, 8, 48), ERROR),
        ((1, 4, 20), ERROR),
        ((1, 4, 48), "ValueError: not like this"),
        ((1, 4, 48), "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x48 and 48x32)"),
    ],
    ids=["an image", "another width", "another error", "the same width"],
)
def test_other_forms_and_errors_change_nothing(shape: Any, error: str) -> None:
    assert _widened(shape, error) is None
