"""Classification of images. All have the same size, because some architectures normalise over padding."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from accumcheck.errors import UnsupportedError, UnsupportedHeadError
from accumcheck.rows.collate import Collator
from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, class_label
from accumcheck.workload.features import first_that_trains, image_shape
from accumcheck.workload.image_guesses import guessed_layouts
from accumcheck.workload.images import ImageRecipe
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:  # noqa: ARG001
    recipe = _recipe(model)

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        return recipe.fields(1, str(key), model.dtype) | {"labels": class_label(model, draw)}

    return make


def _recipe(model: PreTrainedModel) -> ImageRecipe:
    """A whole image in ``pixel_values`` alone; else the first of the guessed forms that the model trains on."""
    try:
        shape = image_shape(model)
        return ImageRecipe((), None, lambda _: {"pixel_values": shape}, {})
    except UnsupportedHeadError:
        raise
    except UnsupportedError as error:
        recipes = [ImageRecipe((), None, layout, {}) for layout in guessed_layouts(model)]
        labels = {"labels": class_label(model, random.Random(0))}
        probes = (Collator.of(model)([one.fields(1, "probe", model.dtype) | labels]) for one in recipes)
        try:
            return recipes[first_that_trains(model, "pixel_values", probes)]
        except UnsupportedError:
            raise error from None


TASK = TaskSpec(
    name="image-classification",
    fits=lambda head: head.is_one("IMAGE_CLASSIFICATION", "ForImageClassification", "pixel_values"),
    maker=_maker,
)
