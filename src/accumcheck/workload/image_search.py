"""Find the form of a model's images by running it. Its error messages show what to try next."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.collate import Collator
from accumcheck.rows.sample import IGNORED, Sample
from accumcheck.rows.vocabulary import embedded_ids
from accumcheck.workload.extra_inputs import extra_inputs
from accumcheck.workload.special_ids import special_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.workload.images import ImageRecipe

_WANTED = (
    re.compile(r"tokens:? \d+[,;]? (?:image )?features:? (\d+)", re.IGNORECASE),
    re.compile(r"value tensor of shape \[(\d+), \d+\] cannot be broadcast to indexing result"),
    re.compile(r"number of image tokens \(?\d+\)?.*number of image features \(?(\d+)\)?", re.IGNORECASE),
)
_SMALL_SQUARE = 4
_MOST_GUESSES = 64
_MISSING = re.compile(r"^AttributeError: '\w+Config' object has no attribute '(\w+_token_id)'")
_PRODUCT = re.compile(r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")
_PATCHES = 3
"""The most dimensions of patches: images, patches, values."""
_BEFORE_VALUES = (0, 2)
"""How many numbers may come before the values of a patch: none, or its row and its column."""
_COUNTED = re.compile(r"token|feature|mask|placeholder|size of tensor|elements", re.IGNORECASE)
"""The words of error messages if the number of placeholders may be wrong."""


def first_that_runs(
    model: PreTrainedModel, recipes: Iterator[Callable[[int], ImageRecipe]], known: int | None
) -> ImageRecipe | str:
    """The first recipe that the model runs with.

    Args:
        model: the model, which is run without gradients.
        recipes: functions that make a recipe for a number of features per image.
        known: the number of features from the config, if it has one.

    Returns:
        The recipe; if none works, the model's most useful error message.
    """
    complaint, tried = "", set[str]()
    for recipe in recipes:
        found: int | str = _ask(model, recipe, known)
        if not isinstance(found, str):
            return recipe(found)
        complaint = complaint or found
        other = _of_other_width(recipe, found)
        if other is None or (form := str(other(1).layout(1))) in tried:
            continue
        tried.add(form)
        if not isinstance(found := _ask(model, other, known), str):
            return other(found)
    return complaint


def _of_other_width(recipe: Callable[[int], ImageRecipe], complaint: str) -> Callable[[int], ImageRecipe] | None:
    """The same recipe with as many values per patch as the model's error names; None if it names none.

    The first numbers of a patch may be its row and its column.
    """
    named = _PRODUCT.search(complaint)
    if named is None:
        return None
    given, wanted = (int(number) for number in named.groups())
    layout = recipe(1).layout

    def is_meant(shape: torch.Tensor | tuple[int, ...]) -> bool:
        """Whether these are patches of that width, rather than an image with rows and columns."""
        return isinstance(shape, tuple) and len(shape) <= _PATCHES and shape[-1] - given in _BEFORE_VALUES

    if given == wanted or not any(map(is_meant, layout(1).values())):
        return None

    def widened(images: int) -> dict[str, torch.Tensor | tuple[int, ...]]:
        return {
            name: (*value[:-1], value[-1] + wanted - given) if isinstance(value, tuple) and is_meant(value) else value
            for name, value in layout(images).items()
        }

    return lambda features: replace(recipe(features), layout=widened)


def _ask(model: PreTrainedModel, recipe: Callable[[int], ImageRecipe], first: int | None) -> int | str:
    """The number of features per image with which the model runs. With a wrong number, its error names the right one.

    Returns:
        The number; else the model's error for the number that it named, or for the first number.
    """
    if not recipe(1).tokens:  # the text has no placeholders for an image
        said = _complaint(model, recipe(0))
        return 0 if said is None else said
    waiting: list[int] = [*([first] if first else []), _SMALL_SQUARE, *range(1, _MOST_GUESSES)]
    tried, asked, first_complaint = set[int](), set[int](), ""
    while waiting:
        features = waiting.pop(0)
        if features in tried:
            continue
        tried.add(features)
        complaint = _complaint(model, recipe(features))
        if complaint is None:
            return features
        first_complaint = first_complaint or complaint
        wanted = next((int(found.group(1)) for pattern in _WANTED if (found := pattern.search(complaint))), None)
        if features in asked and wanted is None:
            return complaint  # the number was right, but something else is wrong
        if wanted is not None:
            numbers = _counts(wanted, model)
            asked.update(numbers)
            waiting = [*numbers, *waiting]
        elif not _COUNTED.search(complaint):
            return complaint
    return first_complaint


def _counts(wanted: int, model: PreTrainedModel) -> list[int]:
    """The possible meanings of a number of features in an error: some models count single values."""
    width = getattr(model.config.get_text_config(), "hidden_size", 0) or 0
    parts = [wanted // width] if width > 1 and wanted > width and wanted % width == 0 else []
    return [*parts, wanted]


def _complaint(model: PreTrainedModel, recipe: ImageRecipe) -> str | None:
    """The model's error for one sample; None if it runs.

    If its forward needs a token id that its config lacks, the config gets one.
    """
    while True:
        complaint = _said(model, recipe)
        missing = _MISSING.search(complaint or "")
        if missing is None or hasattr(model.config, missing.group(1)):
            return complaint
        setattr(model.config, missing.group(1), free_id(model))


def free_id(model: PreTrainedModel) -> int:
    """An id without another meaning."""
    taken = special_ids(model.config)
    return next(number for number in range((embedded_ids(model) or 1) - 1, -1, -1) if number not in taken)


def _said(model: PreTrainedModel, recipe: ImageRecipe) -> str | None:
    """The model's error for one or two samples. A form that works for one image may fail for several."""
    for samples in (1, 2):
        try:
            _run(model, [_sample(model, recipe, number) for number in range(samples)])
        except Exception as error:  # a model may raise anything for a wrong number or a wrong shape
            return f"{type(error).__name__}: {error}"
    return None


def _sample(model: PreTrainedModel, recipe: ImageRecipe, number: int) -> Sample:
    ids = torch.tensor([*recipe.tokens, *[0] * (1 + number)])
    takes = inspect.signature(model.forward).parameters
    decodes = model.config.is_encoder_decoder or "decoder_input_ids" in takes
    labels = torch.zeros(2, dtype=torch.long) if decodes else torch.full_like(ids, IGNORED)
    sample = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    sample |= recipe.token_fields(ids, labels) | recipe.fields(1, f"probe:{number}", model.dtype)
    sample |= extra_inputs(model, sample)
    if "input_ids" not in takes:  # a mask is then over patches
        del sample["attention_mask"]
    return {name: value for name, value in sample.items() if name in takes}


@torch.no_grad()
def _run(model: PreTrainedModel, samples: list[Sample]) -> None:
    batch = Collator.of(model)(samples)
    model(**{name: value.to(model.device) for name, value in batch.items()})
