"""Make synthetic samples: text, images, sounds and labels that depend only on the seed of the check."""

from __future__ import annotations

import inspect
import random
from typing import TYPE_CHECKING

from accumcheck.errors import WorkloadError
from accumcheck.rows.fingerprint import fingerprint
from accumcheck.workload.draws import SampleKey
from accumcheck.workload.extra_inputs import extra_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData
    from accumcheck.rows.sample import Sample
    from accumcheck.workload.tasks.protocol import TaskSpec

_SHORTEST = 3  # two predicted tokens and one that predicts the first of them


def synthetic_samples(
    data: SyntheticData, model: PreTrainedModel, task: TaskSpec, seed: int, count: int
) -> list[Sample]:
    """Draw ``count`` distinct samples. Sample i only depends on the seed, on i and on the model's config.

    With ``lengths: varied`` the length of a sample is uniform in ``[min_length, max_length]``, and neighbours differ by
    at least an eighth of that range. The task determines which tokens are predicted. For causal models, these are all
    tokens after a prompt, and at least two, so a length below 3 counts as 3. The share of the prompt is uniform in
    ``prompt_fraction``. If that range starts at 0, every fourth sample has no prompt: only then is there a label at
    position 0, which can be miscounted. For other tasks see the files of `accumcheck.workload.tasks`. With
    ``lengths: equal`` every sample has the mean length and the same number of predicted tokens.

    Raises:
        WorkloadError: the vocabulary is too small for so many distinct samples, or no images or sounds can be made.
    """
    make = task.maker(model, data)
    takes = inspect.signature(model.forward).parameters.values()
    names = None if any(item.kind is item.VAR_KEYWORD for item in takes) else {item.name for item in takes}
    samples: list[Sample] = []
    seen: set[str] = set()
    for index, length in zip(range(count), _lengths(data, seed), strict=False):
        for attempt in range(20):
            sample = make(random.Random(f"{seed}:{index}:{attempt}"), length, SampleKey(seed, index))
            sample = {**extra_inputs(model, sample), **sample}
            if fingerprint(sample) not in seen:
                break
        else:
            raise WorkloadError(
                f"the vocabulary is too small for {count} distinct samples of {length} tokens; "
                "raise data.synthetic.min_length"
            )
        seen.add(fingerprint(sample))
        samples.append({name: value for name, value in sample.items() if names is None or name in names})
    return samples


def _lengths(data: SyntheticData, seed: int) -> Iterator[int]:
    low, high = max(data.min_length, _SHORTEST), max(data.max_length, _SHORTEST)
    draw, previous, apart = random.Random(f"{seed}:lengths"), None, (high - low) / 8
    while True:
        if data.lengths == "equal":
            yield (low + high) // 2
            continue
        length = draw.randint(low, high)
        while previous is not None and high > low and abs(length - previous) <= apart:
            length = draw.randint(low, high)
        previous = length
        yield length
