"""What is read off a Trainer, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from accumcheck.capture.belief import belief_of
from accumcheck.capture.places import first_line, place
from tests.releases import since

COUNTS = since("4.50.0", "Trainer decides otherwise which models are passed the count of labels, or counts none")


class Accepts(torch.nn.Module):
    def forward(self, x: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return x


class Plain(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def llama() -> LlamaForCausalLM:
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "num_key_value_heads": 1}
    return LlamaForCausalLM(LlamaConfig(vocab_size=16, num_hidden_layers=1, **sizes))


class OwnLoss(Trainer):
    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return None


class ByAModule(OwnLoss):
    """As sentence-transformers' trainers, which are given a module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss = Plain()


def user_loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
    return None


def trainer(folder: Path, kind: type[Trainer] = Trainer, model: Any = Accepts, **options: Any) -> Trainer:
    arguments = TrainingArguments(output_dir=str(folder), report_to=[], use_cpu=True, **options.pop("arguments", {}))
    return kind(model=model(), args=arguments, **options)


@COUNTS
def test_a_trainer_believes_that_a_model_with_keyword_arguments_takes_the_count(tmp_path: Path) -> None:
    assert belief_of(trainer(tmp_path)).accepts_loss_kwargs is True
    assert belief_of(trainer(tmp_path, model=Plain)).accepts_loss_kwargs is False
    assert belief_of(trainer(tmp_path)).stack == "Trainer"
    assert belief_of(trainer(tmp_path)).own_loss is None


def test_a_release_without_the_attribute_believes_nothing() -> None:
    class Old:
        def compute_loss(self) -> None: ...

    Old.compute_loss.__module__ = "transformers.trainer"
    found = belief_of(Old())
    assert (found.stack, found.accepts_loss_kwargs, found.own_loss) == ("Old", None, None)


@COUNTS
@pytest.mark.parametrize(
    ("options", "name", "file"),
    [
        (
            {"model": llama, "arguments": {"label_smoothing_factor": 0.1}},
            "LabelSmoother",
            "transformers/trainer_pt_utils.py:",
        ),
        ({"compute_loss_func": user_loss}, "user_loss", f"test_belief.py:{user_loss.__code__.co_firstlineno}"),
        ({"kind": OwnLoss}, "OwnLoss.compute_loss", "test_belief.py:"),
        ({"kind": ByAModule}, "Plain", f"test_belief.py:{Plain.forward.__code__.co_firstlineno}"),
    ],
)
def test_what_computes_the_loss_in_the_models_place_is_named(
    tmp_path: Path, options: dict[str, Any], name: str, file: str
) -> None:
    found = belief_of(trainer(tmp_path, **options))
    assert found.own_loss == name
    assert file in str(found.own_loss_place)


@COUNTS
def test_the_lines_that_count_and_divide_are_those_of_the_installed_trainer(tmp_path: Path) -> None:
    found = belief_of(trainer(tmp_path))
    for key, words in (("counts_place", "num_items_in_batch"), ("divides_place", "gradient_accumulation_steps")):
        name, line = getattr(found, key).rsplit(":", 1)
        assert name == "transformers/trainer.py"
        source = Path(str(__import__("transformers").__file__)).parent / "trainer.py"
        assert words in source.read_text(encoding="utf-8").splitlines()[int(line) - 1]


def test_a_trainer_whose_source_is_out_of_reach_has_no_places() -> None:
    made: Any = type("Made", (), {"compute_loss": lambda self: None})
    found = belief_of(made())
    assert (found.counts_place, found.divides_place) == (None, None)
    assert str(found.own_loss_place).startswith(place(__file__, 1).rsplit(":", 1)[0])


def test_places_are_relative_to_where_the_file_was_imported_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", ["/site", "/site/nested", ""])
    assert place("/site/transformers/trainer.py", 7) == "transformers/trainer.py:7"
    assert place("/site/nested/a/b.py", 1) == "a/b.py:1"
    assert place("/sitelike/b.py", 1) == "/sitelike/b.py:1"


def test_the_first_line_that_matches_is_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    (tmp_path / "a.py").write_text("one\ntwo\ntwo\n", encoding="utf-8")
    assert first_line(str(tmp_path / "a.py"), "two", "^two") == "a.py:2"
    assert first_line(str(tmp_path / "a.py"), "three", "three") is None
    assert first_line(str(tmp_path / "a.py"), "three", "^two") is None
