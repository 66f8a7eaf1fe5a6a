"""``data.epochs``: how many samples, and how many steps they make."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.epochs import samples_of_epoch, steps_of
from accumcheck.config.load import load_config
from accumcheck.errors import ConfigError
from accumcheck.record import Split

HEAD = "model: {config: {model_type: llama}}\nglobal_batch_size: 16\nsplits: [1x16x1, 1x4x4, 2x4x2]\n"


def splits(*texts: str) -> list[Split]:
    return [Split.parse(text) for text in texts]


def written(folder: Path, more: str) -> Path:
    path = folder / "check.yaml"
    path.write_text(HEAD + more, encoding="utf-8")
    return path


def test_the_last_step_of_an_epoch_takes_what_is_left() -> None:
    assert steps_of(2, 40, 16) == 6  # 16 + 16 + 8, twice
    assert steps_of(3, 32, 16) == 6


@pytest.mark.parametrize(
    ("texts", "samples"),
    [
        (["1x16x1", "1x4x4"], 28),  # 12 left: three of four micro-batches
        (["1x16x1", "1x4x4", "2x4x2"], 24),  # 8 left: what both 4 and 2 x 4 divide
        (["1x16x1", "2x8x1"], 28),  # 2 x 8 is a whole global batch: no rest suits it
    ],
)
def test_the_samples_left_at_the_end_fill_micro_batches_where_they_can(texts: list[str], samples: int) -> None:
    assert samples_of_epoch(16, splits(*texts)) == samples


SOME = ["1x{0}x1", "2x{1}x1", "1x1x{0}", "3x{2}x1", "1x{1}x2", "2x1x{1}", "1x{3}x4", "4x{3}x1", "1x{2}x3"]


@pytest.mark.parametrize("batch", [1, 2, 3, 7, *range(12, 200, 12), 720, 840])
@pytest.mark.parametrize("count", [0, 2, 5, 9])
def test_no_other_rest_suits_more_splits_or_is_nearer_to_three_quarters(batch: int, count: int) -> None:
    parts = [batch // divisor for divisor in (1, 2, 3, 4)]
    tried = splits(*(text.format(*parts) for text in SOME[:count] if batch % 12 == 0))
    chunks = [split.num_processes * split.per_device_train_batch_size for split in tried]

    def unfit(left: int) -> tuple[int, float]:
        whole = [chunk for chunk in chunks if chunk < batch]
        return sum(left % chunk != 0 for chunk in whole), abs(left - 0.75 * batch)

    best = min(range(1, batch), key=unfit, default=1)  # every rest there is, in order
    assert samples_of_epoch(batch, tried) == batch + best


def test_steps_and_samples_follow_from_epochs(tmp_path: Path) -> None:
    check = load_config(written(tmp_path, "data: {epochs: 2}\n"))
    assert (check.data.samples, check.steps, check.sample_count, check.samples_trained) == (24, 4, 24, 48)
    given = load_config(written(tmp_path, "data: {epochs: 3, samples: 20}\nsteps: 6\n"))
    assert (given.data.samples, given.steps) == (20, 6)
    assert type(check).from_dict(check.to_dict()) == check


def test_without_epochs_steps_say_how_many_samples(tmp_path: Path) -> None:
    check = load_config(written(tmp_path, "steps: 2\n"))
    assert (check.data.epochs, check.sample_count, check.samples_trained) == (None, 32, 32)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "data: {samples: 20}\n",
            "check.yaml:4: data.samples: has no effect without data.epochs; add for example epochs: 2",
        ),
        ("data: {epochs: 2}\nsteps: 3\n", "check.yaml:5: steps: found 3, but data.epochs gives 4 steps; remove steps"),
        (
            "data: {epochs: 2}\ntrajectory_steps: 3\n",
            "check.yaml:5: trajectory_steps: cannot be combined with data.epochs; remove one of them",
        ),
        (
            "data: {jsonl: rows.jsonl, epochs: 2}\n",
            "check.yaml:4: data.epochs: needs data.samples: how many rows make an epoch, for example samples: 40",
        ),
    ],
)
def test_what_contradicts_epochs_is_said(tmp_path: Path, more: str, message: str) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_config(written(tmp_path, more))
    assert message in str(raised.value).replace(f"{tmp_path}/", "")
